"""Everything up to release 0.1.0, and the triggers that make the trail append-only."""

import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import django_countries.fields
import uuid
from django.conf import settings
from django.db import migrations, models
from accounts.audit import append_only


def protect(apps, schema_editor):
    append_only.add_transaction_column(schema_editor.connection, "accounts_auditevent")
    append_only.protect(schema_editor.connection, append_only.TRAIL)


def unprotect(apps, schema_editor):
    append_only.unprotect(schema_editor.connection, append_only.TRAIL)
    append_only.drop_transaction_column(schema_editor.connection, "accounts_auditevent")


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ("accounts", "0001_initial"),
        ("accounts", "0002_reopened_applications"),
        ("accounts", "0003_review_workflow"),
        ("accounts", "0004_forms_of_applications"),
        ("accounts", "0005_every_application_has_a_form"),
        ("accounts", "0006_first_answers"),
        ("accounts", "0007_tier_use_terms"),
        ("accounts", "0008_heartbeats"),
        ("accounts", "0009_suspended_grants"),
        ("accounts", "0010_questions_on_steps"),
        ("accounts", "0011_told_licence_versions"),
        ("accounts", "0012_names_leave_the_trail"),
        ("accounts", "0013_tier_history"),
        ("accounts", "0014_history_begins"),
        ("accounts", "0015_sealed_trail"),
        ("accounts", "0016_copies_of_heads"),
        ("accounts", "0017_tier_inspected_only"),
        ("accounts", "0018_profile_looks"),
        ("accounts", "0019_compromised_keys"),
        ("accounts", "0020_hourly_heads"),
        ("accounts", "0021_licence_since"),
        ("accounts", "0022_failed_items"),
    ]

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='CompromisedAuditKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public', models.CharField(max_length=44, unique=True)),
                ('since', models.DateTimeField(help_text='Others may have signed with the key from then on')),
                ('marked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reason', models.CharField(help_text='Shown publicly', max_length=500)),
            ],
            options={
                'ordering': ['-marked_at'],
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, unique=True)),
                ('at', models.DateTimeField()),
                ('details', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Licence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('spdx_id', models.CharField(blank=True, help_text='SPDX id or LicenseRef-…', max_length=80)),
                ('title', models.CharField(max_length=200)),
                ('original_url', models.URLField(blank=True, help_text='Where the licensor publishes the text')),
                ('attribution', models.TextField(blank=True, help_text='The line that the licence demands with every copy')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='SealedNode',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('hash', models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('suspended_at', models.DateTimeField(blank=True, null=True)),
                ('erased_at', models.DateTimeField(blank=True, null=True)),
                ('suspension_reason', models.CharField(blank=True, max_length=500)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'permissions': [('erase_user', 'Can erase a person')],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('username'), name='one_account_per_username_in_any_case')],
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('actor_id', models.UUIDField(null=True)),
                ('credential_kind', models.CharField(blank=True, max_length=20)),
                ('credential_id', models.CharField(blank=True, max_length=64)),
                ('action', models.CharField(db_index=True, max_length=60)),
                ('object_kind', models.CharField(blank=True, max_length=60)),
                ('object_id', models.CharField(blank=True, max_length=64)),
                ('result', models.CharField(default='ok', max_length=40)),
                ('details', models.JSONField(blank=True, default=dict)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('network', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'indexes': [models.Index(fields=['object_kind', 'object_id'], name='audit_by_object')],
            },
        ),
        migrations.CreateModel(
            name='FailedItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(max_length=60)),
                ('item', models.BigIntegerField(help_text='Primary key')),
                ('attempts', models.PositiveIntegerField(default=1)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('next_attempt_at', models.DateTimeField()),
                ('last_error', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'indexes': [models.Index(fields=['next_attempt_at'], name='failed_item_by_due')],
                'constraints': [models.UniqueConstraint(fields=('step', 'item'), name='an_item_fails_once_per_step')],
            },
        ),
        migrations.CreateModel(
            name='SealBatch',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('sealed_at', models.DateTimeField()),
                ('start', models.BigIntegerField()),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField(max_length=32)),
                ('edge', models.BinaryField()),
                ('horizon', models.BigIntegerField(default=0)),
                ('origin', models.CharField(blank=True, max_length=40)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('start',), name='one_batch_follows_another'), models.UniqueConstraint(fields=('size',), name='each_batch_ends_elsewhere'), models.CheckConstraint(condition=models.Q(('size__gt', models.F('start'))), name='a_batch_has_rows')],
            },
        ),
        migrations.CreateModel(
            name='SealedRow',
            fields=[
                ('index', models.BigIntegerField(primary_key=True, serialize=False)),
                ('log', models.SmallIntegerField()),
                ('row_id', models.BigIntegerField()),
                ('hash', models.BinaryField(max_length=32)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('log', 'row_id'), name='each_row_is_sealed_once')],
            },
        ),
        migrations.CreateModel(
            name='SignedHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('signed_at', models.DateTimeField()),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField(max_length=32)),
                ('vkey', models.CharField(max_length=400)),
                ('note', models.TextField()),
                ('is_daily', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['-size', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('size', 'vkey'), name='a_key_signs_a_size_once')],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('last_four', models.CharField(editable=False, max_length=4)),
                ('scopes', models.JSONField(default=list)),
                ('repositories', models.JSONField(blank=True, default=list, help_text='Names that read-gated is limited to; empty: all')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_network', models.CharField(blank=True, max_length=64)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='DataExport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('state', models.CharField(choices=[('queued', 'Being made'), ('ready', 'Ready'), ('failed', 'Could not be made')], default='queued', max_length=8)),
                ('asked_at', models.DateTimeField(auto_now_add=True)),
                ('made_at', models.DateTimeField(blank=True, null=True)),
                ('size', models.PositiveIntegerField(default=0, help_text='Bytes')),
                ('content', models.BinaryField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exports', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-asked_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'queued')), fields=('user',), name='one_export_in_the_making')],
            },
        ),
        migrations.CreateModel(
            name='HolderRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('full_name', models.CharField(max_length=200)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('organisation', models.CharField(blank=True, max_length=200)),
                ('keep_until', models.DateField()),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='holder_record', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='LicenceVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=40)),
                ('text', models.TextField(help_text='Markdown')),
                ('text_sha256', models.CharField(editable=False, max_length=64)),
                ('effective_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('notice_days', models.PositiveSmallIntegerField(default=30, help_text='Days on which older acceptances still count; 0 is urgent: none')),
                ('summary', models.CharField(blank=True, help_text='What changed', max_length=500)),
                ('is_sample', models.BooleanField(default=False, help_text='Wording shipped with the portal for the owner to replace')),
                ('announced_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('reminded_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('licence', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='accounts.licence')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('licence', 'version'), name='one_text_per_version')],
            },
        ),
        migrations.CreateModel(
            name='OutgoingMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(max_length=60)),
                ('unique_key', models.CharField(max_length=200, unique=True)),
                ('to', models.EmailField(max_length=254)),
                ('subject', models.CharField(max_length=300)),
                ('text', models.TextField()),
                ('html', models.TextField(blank=True)),
                ('secret', models.CharField(blank=True, max_length=500)),
                ('object_kind', models.CharField(blank=True, max_length=60)),
                ('object_id', models.CharField(blank=True, max_length=64)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('kept', 'Not sent: no mail server is set'), ('sent', 'Sent'), ('failed', 'Failed')], default='queued', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('next_attempt_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('recipient', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='mails', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['state', 'next_attempt_at'], name='mail_by_due'), models.Index(fields=['object_kind', 'object_id'], name='mail_by_object')],
            },
        ),
        migrations.CreateModel(
            name='ReasonText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(choices=[('identity_unverified', 'Your identity could not be verified'), ('affiliation_unverified', 'Your affiliation could not be verified'), ('purpose_unclear', 'The purpose is not clear enough'), ('plan_insufficient', 'The storage and deletion plan is not sufficient'), ('incomplete', 'Something is missing'), ('hardware_note', 'A note on the hardware'), ('commercial_use', 'The licence excludes commercial use'), ('prohibited_use', 'The licence prohibits this use'), ('jurisdiction', 'The licence excludes your country of work'), ('no_authority', 'Your authority to accept for your organisation is unclear'), ('duplicate', 'Another application asks for the same'), ('prior_breach', 'Earlier terms were broken'), ('leak', 'Weights were passed on'), ('spam', 'This is not a research application'), ('model_withdrawn', 'The model is no longer offered'), ('other', 'Another reason, told in the note'), ('unspecified', 'No reason was given')], max_length=40)),
                ('label', models.CharField(help_text='What was wrong, as the applicant reads it', max_length=120)),
                ('remedy', models.CharField(help_text='What the applicant can do about it', max_length=300)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['code', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='HeadCopy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.CharField(max_length=500)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('done_at', models.DateTimeField(blank=True, null=True)),
                ('head', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='copies', to='accounts.signedhead')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('head', 'place'), name='one_copy_of_a_head_per_place')],
            },
        ),
        migrations.CreateModel(
            name='Tier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('mode', models.CharField(choices=[('open', 'Open'), ('click-through', 'Click-through'), ('reviewed', 'Reviewed')], default='reviewed', max_length=20)),
                ('licence_since', models.DateTimeField(blank=True, editable=False, null=True)),
                ('approvals_needed', models.PositiveSmallIntegerField(default=1, help_text='Reviewers who must approve: 1, or 2 for the largest weights')),
                ('term_days', models.PositiveIntegerField(default=365, help_text='Days a grant lasts')),
                ('file_link_minutes', models.PositiveSmallIntegerField(default=15, help_text='Life of file and storage URLs, at most 60')),
                ('checkpoint_link_hours', models.PositiveSmallIntegerField(default=168, help_text='Life of mailed checkpoint links, at most 168')),
                ('blocked_countries', django_countries.fields.CountryField(blank=True, help_text='Countries whose residents the licence excludes', max_length=746, multiple=True)),
                ('inspected_only', models.BooleanField(default=False, help_text='Publish no revision that holds a file whose format cannot be inspected. What is published already stays', verbose_name='Inspected formats only')),
                ('duo_codes', models.JSONField(blank=True, default=list, help_text='Codes of the Data Use Ontology: one permission, and what narrows it', verbose_name='Terms of use')),
                ('licence', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tiers', to='accounts.licence')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('file_link_minutes__range', (1, 60))), name='file_links_live_one_to_sixty_minutes'), models.CheckConstraint(condition=models.Q(('checkpoint_link_hours__range', (1, 168))), name='checkpoint_links_live_one_to_168_hours'), models.CheckConstraint(condition=models.Q(('approvals_needed__range', (1, 2))), name='one_or_two_reviewers_approve'), models.CheckConstraint(condition=models.Q(('term_days__range', (1, 3660))), name='grants_always_end')],
            },
        ),
        migrations.CreateModel(
            name='FormVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('questions', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='form_versions', to='accounts.tier')),
            ],
            options={
                'ordering': ['number'],
                'constraints': [models.UniqueConstraint(fields=('tier', 'number'), name='form_versions_numbered_once')],
            },
        ),
        migrations.CreateModel(
            name='RoleAssignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('reviewer', 'Reviewer'), ('lead-reviewer', 'Lead reviewer'), ('release-owner', 'Release owner'), ('auditor', 'Auditor'), ('administrator', 'Administrator')], max_length=20)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='roles', to=settings.AUTH_USER_MODEL)),
                ('tier', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='accounts.tier')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'role', 'tier'), name='one_assignment_per_person_role_and_tier'), models.UniqueConstraint(condition=models.Q(('tier', None)), fields=('user', 'role'), name='one_assignment_per_person_and_role_for_all_tiers')],
            },
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(help_text='Short name, such as funding; never changed', max_length=40)),
                ('label', models.CharField(help_text='The question as the applicant reads it', max_length=200)),
                ('help_text', models.CharField(blank=True, max_length=500)),
                ('kind', models.CharField(choices=[('text', 'Text, one line'), ('long_text', 'Long text'), ('number', 'Number'), ('select', 'One of several'), ('multi_select', 'Any of several'), ('tick', 'Tick'), ('date', 'Date'), ('country', 'Country'), ('url', 'Web address'), ('file', 'PDF document'), ('hardware', 'Hardware, one machine a line')], default='text', max_length=12)),
                ('step', models.CharField(choices=[('you', 'You'), ('project', 'Project'), ('plan', 'Plan')], default='project', help_text='Where in the form it stands', max_length=10)),
                ('is_required', models.BooleanField(default=False)),
                ('choices', models.TextField(blank=True, help_text='For the two kinds that choose: one choice a line')),
                ('shown_if_key', models.CharField(blank=True, help_text='Asked only if this other question (its key) has the value below', max_length=50)),
                ('shown_if_value', models.CharField(blank=True, max_length=200)),
                ('position', models.PositiveSmallIntegerField(default=0, help_text='Lower comes first')),
                ('is_asked', models.BooleanField(default=True, help_text='Untick instead of deleting')),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='accounts.tier')),
            ],
            options={
                'ordering': ['position', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('tier', 'key'), name='one_question_per_key_and_tier')],
            },
        ),
        migrations.CreateModel(
            name='TierChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('kind', models.CharField(choices=[('made', 'Made'), ('changed', 'Changed'), ('licence_text', 'New licence text'), ('questions', 'Other questions'), ('checkpoint_in', 'Checkpoint came in'), ('checkpoint_out', 'Checkpoint left'), ('noted', 'Noted as it stood')], max_length=20)),
                ('fields', models.JSONField(blank=True, default=list)),
                ('checkpoint', models.CharField(blank=True, help_text='As org/name', max_length=193)),
                ('hidden', models.BooleanField(default=False)),
                ('by_role', models.CharField(max_length=40)),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='accounts.tier')),
            ],
            options={
                'ordering': ['-at', '-pk'],
                'indexes': [models.Index(fields=['tier', '-at'], name='tier_history')],
            },
        ),
        migrations.CreateModel(
            name='Application',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('new', 'New'), ('reopened', 'Reopened by staff')], default='new', max_length=12)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('submitted', 'Submitted'), ('in_review', 'In review'), ('returned', 'Returned for changes'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('withdrawn', 'Withdrawn'), ('lapsed', 'Lapsed')], default='draft', max_length=12)),
                ('answers', models.JSONField(blank=True, default=dict)),
                ('answers_version', models.PositiveIntegerField(default=0)),
                ('saved_at', models.DateTimeField(default=django.utils.timezone.now, help_text='Answers last kept')),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('worked_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('submitted_at', models.DateTimeField(blank=True, help_text='First submission', null=True)),
                ('returned_at', models.DateTimeField(blank=True, null=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_because', models.TextField(blank=True)),
                ('reduced_at', models.DateTimeField(blank=True, null=True)),
                ('due_on', models.DateField(blank=True, null=True)),
                ('days_left', models.SmallIntegerField(blank=True, null=True)),
                ('applicant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='applications', to=settings.AUTH_USER_MODEL)),
                ('claimed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('predecessor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='successors', to='accounts.application')),
                ('form', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.formversion')),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='applications', to='accounts.tier')),
            ],
            options={
                'ordering': ['submitted_at', 'pk'],
                'permissions': [('review_application', 'Can claim and decide applications')],
                'indexes': [models.Index(fields=['status', 'submitted_at'], name='application_queue'), models.Index(fields=['status', 'due_on'], name='application_due'), models.Index(fields=['tier', 'answered_at'], name='application_answers')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['submitted', 'in_review', 'returned'])), fields=('applicant', 'tier'), name='one_open_application_per_tier'), models.UniqueConstraint(condition=models.Q(('status', 'draft')), fields=('applicant', 'tier'), name='one_draft_per_tier')],
            },
        ),
        migrations.CreateModel(
            name='ApplicationSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('answers', models.JSONField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='accounts.application')),
                ('licence_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='accounts.licenceversion')),
            ],
            options={
                'ordering': ['number'],
                'constraints': [models.UniqueConstraint(fields=('application', 'number'), name='snapshots_are_numbered_once')],
            },
        ),
        migrations.CreateModel(
            name='Attachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('question', models.CharField(help_text='Key of the question it answers', max_length=60)),
                ('name', models.CharField(help_text='As the applicant named it', max_length=120)),
                ('size', models.PositiveIntegerField(help_text='Bytes')),
                ('sha256', models.CharField(max_length=64)),
                ('uploaded_at', models.DateTimeField(auto_now_add=True)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='accounts.application')),
                ('uploaded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('size__range', (1, 10485760))), name='attachments_hold_1_byte_to_10_MiB')],
            },
        ),
        migrations.CreateModel(
            name='Conflict',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('declared_at', models.DateTimeField(auto_now_add=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='conflicts', to='accounts.application')),
                ('reviewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('application', 'reviewer'), name='one_conflict_per_reviewer')],
            },
        ),
        migrations.CreateModel(
            name='Consultation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.TextField()),
                ('asked_at', models.DateTimeField(auto_now_add=True)),
                ('answer', models.TextField(blank=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consultations', to='accounts.application')),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('colleague', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('origin', models.CharField(choices=[('application', 'Approved application'), ('click-through', 'Licence accepted'), ('break-glass', 'Given by staff')], max_length=20)),
                ('state', models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended'), ('expired', 'Expired'), ('revoked', 'Revoked'), ('surrendered', 'Given back')], default='active', max_length=20)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('starts_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('end_reason', models.CharField(blank=True, max_length=500)),
                ('end_code', models.CharField(blank=True, max_length=40)),
                ('suspended_at', models.DateTimeField(blank=True, null=True)),
                ('suspended_until', models.DateTimeField(blank=True, null=True)),
                ('suspension_reason', models.CharField(blank=True, max_length=500)),
                ('reminded_days', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('application', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='grant', to='accounts.application')),
                ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='grants', to=settings.AUTH_USER_MODEL)),
                ('licence_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='accounts.licenceversion')),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='accounts.tier')),
            ],
            options={
                'permissions': [('revoke_grant', 'Can suspend, resume and revoke a grant'), ('give_grant', 'Can give a grant outside a review')],
                'indexes': [models.Index(fields=['user', 'tier', 'state'], name='grant_for_the_gate'), models.Index(fields=['state', 'expires_at'], name='grant_ends')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['active', 'suspended'])), fields=('user', 'tier'), name='one_unended_grant_per_person_and_tier'), models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('starts_at'))), name='a_grant_ends_after_it_starts'), models.CheckConstraint(condition=models.Q(models.Q(('application__isnull', False), ('origin', 'application')), models.Q(models.Q(('origin', 'application'), _negated=True), ('application', None)), _connector='OR'), name='a_grant_from_a_review_names_its_application'), models.CheckConstraint(condition=models.Q(('origin', 'break-glass'), ('reason', ''), _negated=True), name='a_break_glass_grant_has_a_reason')],
            },
        ),
        migrations.CreateModel(
            name='AttachmentContent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data', models.BinaryField()),
                ('attachment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='content', to='accounts.attachment')),
            ],
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('approve', 'Approve'), ('return', 'Return for changes'), ('reject', 'Reject')], max_length=10)),
                ('reasons', models.JSONField(blank=True, default=list, help_text='Codes of the reason catalogue')),
                ('note', models.TextField(blank=True, help_text='Told to the applicant')),
                ('internal_note', models.TextField(blank=True, help_text='Seen by staff only')),
                ('checklist', models.JSONField(blank=True, default=dict)),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='accounts.application')),
                ('reviewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('snapshot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='accounts.applicationsnapshot')),
            ],
            options={
                'ordering': ['created_at'],
            },
        ),
        migrations.AddField(
            model_name='Application',
            name='first_approval',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.decision'),
        ),
        migrations.CreateModel(
            name='ProfileLook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('outcome', models.CharField(blank=True, choices=[('answers', 'Answers'), ('gone', 'No such page'), ('refuses', 'Refuses programs'), ('silent', 'No answer'), ('inside', 'Not a public address')], max_length=8)),
                ('status', models.PositiveSmallIntegerField(blank=True, help_text='Of HTTP', null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('looked_at', models.DateTimeField(blank=True, null=True)),
                ('snapshot', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='profile_look', to='accounts.applicationsnapshot')),
            ],
        ),
        migrations.CreateModel(
            name='Remark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('field', models.CharField(blank=True, help_text='Key of the question; or none', max_length=60)),
                ('text', models.TextField()),
                ('is_public', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('answer', models.TextField(blank=True, help_text='What the applicant says to it')),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='remarks', to='accounts.application')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decision', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='remarks', to='accounts.decision')),
                ('settled_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('snapshot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='accounts.applicationsnapshot')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.RunPython(protect, unprotect),
    ]
