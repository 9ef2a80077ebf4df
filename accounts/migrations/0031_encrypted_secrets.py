"""Room for encrypted credentials of mails. `prepare_install` encrypts those of before."""

from django.db import migrations

import accounts.encryption.fields


class Migration(migrations.Migration):
    dependencies = [("accounts", "0030_retired_tiers")]

    operations = [
        migrations.AlterField(
            model_name="outgoingmail",
            name="secret",
            field=accounts.encryption.fields.EncryptedTextField(blank=True),
        )
    ]
