"""Let `User.email` name the confirmed primary address, which allauth's rows hold."""

from django.db import migrations


def follow_the_confirmed_address(apps, schema_editor):
    address_model = apps.get_model("account", "EmailAddress")
    user_model = apps.get_model("accounts", "User")
    confirmed = address_model.objects.filter(verified=True).order_by("user_id", "-primary", "pk")
    chosen = {}
    for row in confirmed.iterator():
        chosen.setdefault(row.user_id, row)
    for user_id, row in chosen.items():
        if not row.primary:
            address_model.objects.filter(user_id=user_id, primary=True).update(primary=False)
            address_model.objects.filter(pk=row.pk).update(primary=True)
        user_model.objects.filter(pk=user_id).exclude(email=row.email).update(email=row.email)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0026_licences_of_gated_tiers"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [
        migrations.RunPython(follow_the_confirmed_address, migrations.RunPython.noop),
    ]
