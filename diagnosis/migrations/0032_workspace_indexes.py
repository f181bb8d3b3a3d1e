from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('diagnosis', '0031_diagnoses_in_workspaces'),
    ]

    operations = [
        # Diagnoses are written meanwhile. What was interrupted is begun again.
        migrations.RunSQL(
            [
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_workspace",
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_series",
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_version",
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_names",
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_unassigned",
            ],
            migrations.RunSQL.noop,
            elidable=True,
        ),
        AddIndexConcurrently(
            model_name='diagnosis',
            index=models.Index(fields=['workspace', '-created_at', '-id'], name='diagnosis_diagnosis_workspace'),
        ),
        AddIndexConcurrently(
            model_name='diagnosis',
            index=models.Index(fields=['workspace', 'panel', '-created_at'], name='diagnosis_diagnosis_series'),
        ),
        AddIndexConcurrently(
            model_name='diagnosis',
            index=models.Index(condition=models.Q(('panel_version__isnull', False)), fields=['panel_version', '-created_at'], name='diagnosis_diagnosis_version'),
        ),
        AddIndexConcurrently(
            model_name='diagnosis',
            index=models.Index(condition=models.Q(('names_version__isnull', False)), fields=['workspace', 'names_version', '-created_at'], name='diagnosis_diagnosis_names'),
        ),
        AddIndexConcurrently(
            model_name='diagnosis',
            index=models.Index(condition=models.Q(('workspace__isnull', True)), fields=['-created_at'], name='diagnosis_diagnosis_unassigned'),
        ),
    ]
