from django.apps import AppConfig


class WeightsConfig(AppConfig):
    """What: families, checkpoints, revisions, files, blobs, and how they are delivered."""

    name = "weights"
    verbose_name = "Checkpoints and delivery"

    def ready(self) -> None:
        # Models are loaded only now.
        from accounts.evidence import hardware  # noqa: PLC0415
        from weights import receivers, sizes  # noqa: F401, PLC0415

        hardware.SOURCES.append(sizes.of_tier)
