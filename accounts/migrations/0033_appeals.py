"""Appeals against rejections, and the days to wait before the next application."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0032_pending_decisions"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="appeal_text",
            field=models.TextField(blank=True, db_default=""),
        ),
        migrations.AddField(
            model_name="decision",
            name="waiting_days",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="tier",
            name="reapply_days",
            field=models.PositiveSmallIntegerField(
                default=0,
                db_default=0,
                help_text="Before the next application; a reason of the rejection can ask for more",
                verbose_name="Days to wait after a rejection",
            ),
        ),
        migrations.AlterField(
            model_name="application",
            name="kind",
            field=models.CharField(
                choices=[
                    ("new", "New"),
                    ("reopened", "Reopened by staff"),
                    ("appeal", "Appeal"),
                ],
                default="new",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="application",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "appeal")),
                fields=("predecessor",),
                name="one_appeal_per_rejection",
            ),
        ),
    ]
