"""When the page showed a checkpoint link to its holder, on portals that send no mail."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("weights", "0013_search_documents")]

    operations = [
        migrations.AddField(
            model_name="checkpointlink",
            name="shown_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
