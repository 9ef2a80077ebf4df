"""Everything up to release 0.1.0, and the triggers that make the ledger append-only."""

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models
from accounts.audit import append_only
from weights.ledger.recording import PROTECTED


def protect(apps, schema_editor):
    append_only.add_transaction_column(schema_editor.connection, "weights_download")
    append_only.protect(schema_editor.connection, PROTECTED)


def unprotect(apps, schema_editor):
    append_only.unprotect(schema_editor.connection, PROTECTED)
    append_only.drop_transaction_column(schema_editor.connection, "weights_download")


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ("weights", "0001_initial"),
        ("weights", "0002_blob_version"),
        ("weights", "0003_file_facts"),
        ("weights", "0004_downloads_shown_on_a_page"),
        ("weights", "0005_reports_and_known_issues"),
        ("weights", "0006_withdrawn_revisions"),
        ("weights", "0007_revision_findings"),
        ("weights", "0008_sealed_ledger"),
        ("weights", "0009_recalls"),
        ("weights", "0010_manifest_signatures"),
        ("weights", "0011_blob_mark"),
        ("weights", "0012_scrub"),
        ("weights", "0013_inspections"),
        ("weights", "0014_stored_blobs_are_inspected"),
        ("weights", "0015_resumable_hashing"),
        ("weights", "0016_overlaid_versions"),
        ("weights", "0017_compromised_keys"),
        ("weights", "0018_inspections_read_to_end"),
    ]

    dependencies = [
        ("accounts", "0001_squashed_0022_failed_items"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('size', models.BigIntegerField(help_text='Bytes')),
                ('state', models.CharField(choices=[('uploaded', 'Stored, waiting for its check'), ('hashing', 'Being read'), ('scanning', 'Its format is being inspected'), ('verified', 'Verified'), ('quarantined', 'Quarantined')], default='uploaded', max_length=12)),
                ('quarantine_reason', models.CharField(blank=True, max_length=500)),
                ('held', models.BooleanField(default=False)),
                ('doubts', models.PositiveSmallIntegerField(default=0)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('check_due_at', models.DateTimeField(blank=True, db_index=True, null=True)),
                ('inspect_due_at', models.DateTimeField(blank=True, db_index=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_verified_at', models.DateTimeField(blank=True, null=True)),
                ('version', models.CharField(blank=True, max_length=1024)),
                ('mark', models.CharField(blank=True, max_length=200)),
                ('version_in', models.CharField(blank=True, max_length=1024)),
            ],
            options={
                'permissions': [('verify_blob', 'Can queue verification and quarantine')],
                'indexes': [models.Index(fields=['state', 'leased_until'], name='blob_by_state'), models.Index(fields=['state', 'last_verified_at'], name='blob_by_last_reading')],
                'constraints': [models.CheckConstraint(condition=models.Q(('size__gte', 0)), name='a_blob_has_no_negative_size')],
            },
        ),
        migrations.CreateModel(
            name='Download',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('user_id', models.BigIntegerField(null=True)),
                ('credential_kind', models.CharField(max_length=20)),
                ('credential_id', models.CharField(blank=True, max_length=64)),
                ('grant_id', models.BigIntegerField(null=True)),
                ('checkpoint_id', models.BigIntegerField(null=True)),
                ('file_id', models.BigIntegerField(null=True)),
                ('repo_id', models.CharField(max_length=193)),
                ('revision', models.CharField(blank=True, max_length=200)),
                ('path', models.CharField(blank=True, max_length=1024)),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('start', models.BigIntegerField(default=0)),
                ('length', models.BigIntegerField(default=0)),
                ('outcome', models.CharField(choices=[('served', 'Bytes served'), ('redirected', 'Storage URL issued'), ('shown', 'Shown on a page'), ('refused', 'Refused')], max_length=10)),
                ('code', models.CharField(blank=True, help_text='Refusal code', max_length=40)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('network', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'indexes': [models.Index(fields=['user_id', 'at'], name='download_by_person'), models.Index(fields=['checkpoint_id', 'at'], name='download_by_checkpoint'), models.Index(fields=['sha256'], name='download_by_content')],
            },
        ),
        migrations.CreateModel(
            name='Family',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=120)),
                ('long_name', models.CharField(blank=True, max_length=200)),
                ('developer', models.CharField(blank=True, max_length=200)),
                ('facts', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'verbose_name_plural': 'families',
            },
        ),
        migrations.CreateModel(
            name='IntakeNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device', models.CharField(max_length=20)),
                ('inode', models.CharField(max_length=20)),
                ('size', models.BigIntegerField()),
                ('mtime_ns', models.BigIntegerField()),
                ('ctime_ns', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('git_oid', models.CharField(max_length=40)),
                ('md5', models.CharField(blank=True, max_length=32)),
                ('is_text', models.BooleanField()),
                ('noted_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('device', 'inode'), name='one_note_per_source_file')],
            },
        ),
        migrations.CreateModel(
            name='ManifestKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.CharField(help_text='Start of the fingerprint', max_length=16, unique=True)),
                ('fingerprint', models.CharField(help_text="SHA-256 of the public key's PEM", max_length=64)),
                ('public_pem', models.TextField()),
                ('first_used_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('compromised_at', models.DateTimeField(blank=True, help_text='When it was marked', null=True)),
                ('compromised_from', models.DateTimeField(blank=True, help_text='From when on others may have had it; empty: from its first use', null=True)),
                ('reason', models.CharField(blank=True, help_text='Why it was retired', max_length=500)),
            ],
            options={
                'ordering': ['-first_used_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('compromised_at', None), ('retired_at__isnull', False), _connector='OR'), name='a_compromised_key_is_retired'), models.CheckConstraint(condition=models.Q(('compromised_from', None), ('compromised_at__isnull', False), _connector='OR'), name='only_a_compromised_key_was_so_from_some_time_on')],
            },
        ),
        migrations.CreateModel(
            name='ScrubTurn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(unique=True)),
                ('holder', models.CharField(blank=True, max_length=32)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='StoreFinding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('missing', 'The store does not hold it'), ('orphaned', 'No blob names it'), ('overlaid', 'Newer bytes or a removal lie over the version that is served')], max_length=10)),
                ('key', models.CharField(help_text='Its place in the store', max_length=1024)),
                ('size', models.BigIntegerField(help_text='Bytes')),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['kind', 'key'],
                'constraints': [models.UniqueConstraint(fields=('kind', 'key'), name='one_finding_per_kind_and_key')],
            },
        ),
        migrations.CreateModel(
            name='StoreSurvey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('store', models.CharField(max_length=1024)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('stored', models.PositiveIntegerField(default=0, help_text='Objects in the store')),
                ('stored_bytes', models.BigIntegerField(default=0)),
                ('changed', models.PositiveIntegerField(default=0, help_text='Written to since verified')),
                ('missing', models.PositiveIntegerField(default=0, help_text='Blobs that the store lacks')),
                ('overlaid', models.PositiveIntegerField(default=0, help_text='Blobs with newer bytes, or a removal, over the verified version')),
                ('orphaned', models.PositiveIntegerField(default=0, help_text='Objects that no blob names')),
                ('trouble', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'ordering': ['-started_at', '-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('store',), name='one_survey_of_a_store_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('org', models.CharField(max_length=96)),
                ('name', models.CharField(max_length=96)),
                ('title', models.CharField(blank=True, max_length=200)),
                ('summary', models.CharField(blank=True, max_length=500)),
                ('facts', models.JSONField(blank=True, default=dict)),
                ('parameters', models.BigIntegerField(blank=True, help_text='Exact count', null=True)),
                ('card', models.TextField(blank=True, help_text='Markdown')),
                ('synthetic', models.BooleanField(default=False, help_text='Random weights; says so everywhere')),
                ('private', models.BooleanField(default=False)),
                ('embargo_until', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('published_at', models.DateTimeField(blank=True, help_text='When its first revision was verified', null=True)),
                ('tier', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checkpoints', to='accounts.tier')),
                ('family', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checkpoints', to='weights.family')),
            ],
            options={
                'ordering': ['org', 'name'],
                'permissions': [('publish_checkpoint', 'Can publish and withdraw revisions')],
                'indexes': [models.Index(fields=['org', 'name'], name='checkpoint_by_name')],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('org'), django.db.models.functions.text.Lower('name'), name='one_checkpoint_per_name_in_any_case')],
            },
        ),
        migrations.CreateModel(
            name='FileFacts',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('card', 'Front matter of a card'), ('config', 'Configuration'), ('tensors', 'Header of a safetensors file')], max_length=8)),
                ('facts', models.JSONField(default=dict)),
                ('tags', models.TextField(blank=True)),
                ('pipeline_tag', models.CharField(blank=True, max_length=100)),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='facts', to='weights.blob')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('blob', 'kind'), name='facts_are_read_once_per_blob')],
            },
        ),
        migrations.CreateModel(
            name='Inspection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('family', models.CharField(help_text='Of names: what a loader takes the file for', max_length=16)),
                ('outcome', models.CharField(choices=[('inspected', 'Inspected'), ('not_inspected', 'Not inspected'), ('refused', 'Refused')], max_length=16)),
                ('kind', models.CharField(max_length=40, verbose_name='format')),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('imports', models.JSONField(blank=True, default=list, help_text='What its pickles import when they are loaded')),
                ('tensors', models.BigIntegerField(blank=True, null=True)),
                ('read_to_end', models.BooleanField(default=False, help_text='Whether all that a loader runs was read: `imports` are all there are')),
                ('version', models.PositiveIntegerField()),
                ('allowed', models.CharField(blank=True, max_length=16)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='inspections', to='weights.blob')),
            ],
            options={
                'ordering': ['family'],
                'constraints': [models.UniqueConstraint(fields=('blob', 'family'), name='one_inspection_per_blob_and_family')],
            },
        ),
        migrations.CreateModel(
            name='VerificationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('started_from', models.BigIntegerField(default=0)),
                ('bytes_read', models.BigIntegerField(default=0)),
                ('seconds', models.FloatField(default=0)),
                ('result', models.CharField(choices=[('running', 'Running'), ('verified', 'Verified'), ('mismatch', 'The bytes differ from their name'), ('missing', 'The store does not hold it'), ('unreadable', 'The store could not be read'), ('handed_on', 'Its time was up; the next step goes on'), ('abandoned', 'The worker stopped')], default='running', max_length=12)),
                ('found_sha256', models.CharField(blank=True, max_length=64)),
                ('detail', models.CharField(blank=True, max_length=500)),
                ('worker', models.CharField(blank=True, max_length=120)),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='weights.blob')),
            ],
            options={
                'ordering': ['-started_at'],
                'indexes': [models.Index(fields=['finished_at'], name='run_by_end')],
            },
        ),
        migrations.CreateModel(
            name='HashProgress',
            fields=[
                ('blob', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='hash_progress', serialize=False, to='weights.blob')),
                ('store', models.CharField(max_length=1024)),
                ('version', models.CharField(blank=True, max_length=1024)),
                ('mark', models.CharField(max_length=200)),
                ('at', models.BigIntegerField(help_text='Bytes')),
                ('state', models.BinaryField(max_length=112)),
                ('layout', models.CharField(max_length=200)),
                ('saved_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name_plural': 'hash progress',
            },
        ),
        migrations.CreateModel(
            name='InspectionOverride',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('refusal', models.CharField(max_length=500)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('asked_why', models.CharField(max_length=500)),
                ('granted_at', models.DateTimeField(blank=True, null=True)),
                ('granted_why', models.CharField(blank=True, max_length=500)),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('granted_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('inspection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='overrides', to='weights.inspection')),
            ],
            options={
                'ordering': ['-asked_at'],
                'constraints': [models.UniqueConstraint(fields=('inspection', 'refusal'), name='one_override_per_refusal'), models.CheckConstraint(condition=models.Q(('granted_by', None), models.Q(('granted_by', models.F('asked_by')), _negated=True), _connector='OR'), name='whoever_asks_for_an_override_does_not_grant_it')],
            },
        ),
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('misuse', 'Misuse of a model'), ('leak', 'Weights that were passed on'), ('bad_file', 'A bad file'), ('finding', 'A research finding')], max_length=10)),
                ('path', models.CharField(blank=True, max_length=1024)),
                ('text', models.TextField()),
                ('contact', models.CharField(blank=True, max_length=254)),
                ('state', models.CharField(choices=[('new', 'New'), ('triaged', 'Being looked into'), ('acted', 'Acted on'), ('dismissed', 'Closed without action')], default='new', max_length=10)),
                ('answer', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('assigned_to', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('checkpoint', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='weights.checkpoint')),
            ],
            options={
                'ordering': ['-created_at'],
                'permissions': [('triage_report', 'Can triage reports')],
                'indexes': [models.Index(fields=['state', 'created_at'], name='report_queue')],
            },
        ),
        migrations.CreateModel(
            name='Revision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha', models.CharField(help_text='40 hex digits', max_length=40)),
                ('manifest_sha256', models.CharField(max_length=64)),
                ('branch', models.CharField(default='main', max_length=200)),
                ('tag', models.CharField(blank=True, max_length=200)),
                ('message', models.TextField(blank=True)),
                ('state', models.CharField(choices=[('pending', 'Being verified'), ('visible', 'Published'), ('failed', 'Not published: a file failed its check'), ('withdrawn', 'Withdrawn')], default='pending', max_length=12)),
                ('state_reason', models.CharField(blank=True, max_length=500)),
                ('file_count', models.PositiveIntegerField(default=0)),
                ('total_bytes', models.BigIntegerField(default=0)),
                ('findings', models.JSONField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('visible_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='revisions', to='weights.checkpoint')),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='weights.revision')),
            ],
            options={
                'ordering': ['-created_at', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('checkpoint', 'sha'), name='one_revision_per_sha')],
            },
        ),
        migrations.CreateModel(
            name='CheckpointLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('id_digest', models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ('cause', models.CharField(choices=[('approval', 'Approved application'), ('request', 'Asked for by its holder'), ('command', 'Made by command')], max_length=10)),
                ('state', models.CharField(choices=[('queued', 'Being prepared'), ('issued', 'Issued'), ('failed', 'Could not be issued')], default='queued', max_length=8)),
                ('state_reason', models.CharField(blank=True, max_length=500)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('key_id', models.CharField(blank=True, max_length=16)),
                ('plan', models.JSONField(blank=True, default=list)),
                ('plan_made_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('issued_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='links', to='weights.checkpoint')),
                ('grant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checkpoint_links', to='accounts.grant')),
                ('holder', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='checkpoint_links', to=settings.AUTH_USER_MODEL)),
                ('revision', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='links', to='weights.revision')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('cause', 'approval')), fields=('grant', 'checkpoint'), name='one_link_per_approval_and_checkpoint')],
            },
        ),
        migrations.CreateModel(
            name='File',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=1024)),
                ('lfs', models.BooleanField()),
                ('git_oid', models.CharField(max_length=40)),
                ('md5', models.CharField(blank=True, help_text='Where the publisher lists one', max_length=32)),
                ('part', models.PositiveIntegerField(blank=True, null=True)),
                ('shard', models.PositiveIntegerField(blank=True, null=True)),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='weights.blob')),
                ('revision', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='weights.revision')),
            ],
            options={
                'ordering': ['path'],
                'constraints': [models.UniqueConstraint(fields=('revision', 'path'), name='one_file_per_path')],
            },
        ),
        migrations.CreateModel(
            name='KnownIssue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('issue', 'Known issue'), ('finding', 'Finding')], max_length=10)),
                ('path', models.CharField(blank=True, help_text='The file it is about', max_length=1024)),
                ('title', models.CharField(max_length=200)),
                ('text', models.TextField()),
                ('published_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='issues', to='weights.checkpoint')),
                ('report', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='issues', to='weights.report')),
            ],
            options={
                'ordering': ['-published_at'],
            },
        ),
        migrations.CreateModel(
            name='ManifestSignature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('bundle', models.TextField()),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='weights.manifestkey')),
                ('revision', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signatures', to='weights.revision')),
            ],
            options={
                'ordering': ['-made_at'],
                'constraints': [models.UniqueConstraint(fields=('revision', 'key'), name='one_signature_per_revision_and_key')],
            },
        ),
        migrations.CreateModel(
            name='PublishedManifest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('sha256', models.CharField(help_text='Of the text in UTF-8', max_length=64)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
                ('revision', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='manifest', to='weights.revision')),
            ],
        ),
        migrations.CreateModel(
            name='Recall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('repaired', 'Repaired')], default='open', max_length=10)),
                ('cause', models.CharField(choices=[('check', 'A check found that the stored bytes had changed'), ('owner', 'Its publisher calls it back'), ('withdrawal', 'Its publisher withdrew the revision')], max_length=10)),
                ('reason', models.CharField(help_text='Everybody reads it', max_length=500)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('repaired_at', models.DateTimeField(blank=True, null=True)),
                ('told_to', models.BigIntegerField(default=0)),
                ('told_at', models.DateTimeField(blank=True, null=True)),
                ('blob', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recalls', to='weights.blob')),
                ('opened_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('repaired_in', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='weights.revision')),
                ('revision', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recalls', to='weights.revision')),
            ],
            options={
                'ordering': ['-opened_at', '-pk'],
                'permissions': [('read_fetchers', 'Can read who fetched what is recalled')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('blob', None), ('revision__isnull', False)), models.Q(('blob__isnull', False), ('revision', None)), _connector='OR'), name='a_recall_is_of_bytes_or_of_a_revision'), models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('blob',), name='one_open_recall_per_blob'), models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('revision',), name='one_open_recall_per_revision')],
            },
        ),
        migrations.CreateModel(
            name='Ref',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('branch', 'Branch'), ('tag', 'Tag')], default='branch', max_length=6)),
                ('name', models.CharField(max_length=200)),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refs', to='weights.checkpoint')),
                ('revision', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refs', to='weights.revision')),
            ],
            options={
                'ordering': ['kind', 'name'],
                'constraints': [models.UniqueConstraint(fields=('checkpoint', 'name'), name='one_meaning_per_ref_name')],
            },
        ),
        migrations.CreateModel(
            name='ReportEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('deed', models.CharField(choices=[('assigned', 'Assigned'), ('noted', 'Internal note'), ('suspended', 'Suspended a grant'), ('issue', 'Published a known issue'), ('finding', 'Published a finding'), ('recall', 'Asked for a recall'), ('dismissed', 'Closed without action')], max_length=12)),
                ('text', models.TextField(blank=True)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='weights.report')),
            ],
            options={
                'ordering': ['at', 'pk'],
            },
        ),
        migrations.RunPython(protect, unprotect),
    ]
