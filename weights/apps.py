from django.apps import AppConfig


class WeightsConfig(AppConfig):
    """What: families, checkpoints, revisions, files, blobs, and how they are delivered."""

    name = "weights"
    verbose_name = "Checkpoints and delivery"

    def ready(self) -> None:
        from weights import receivers  # noqa: F401, PLC0415 - models are loaded only now
