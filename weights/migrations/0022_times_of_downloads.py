"""The time of a download is a default, so that a row can be written later than its response.

No column changes; SQLite would lose the ledger's triggers with its table.
"""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("weights", "0021_uploads_outlive_checkpoints")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="download",
                    name="at",
                    field=models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, editable=False
                    ),
                )
            ]
        )
    ]
