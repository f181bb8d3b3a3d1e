import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Apart from the new tables, because these columns lock the table of diagnoses until the end of the transaction."""

    dependencies = [
        ('diagnosis', '0030_workspaces'),
    ]

    operations = [
        migrations.AddField(
            model_name='diagnosis',
            name='names_version',
            field=models.PositiveIntegerField(blank=True, editable=False, help_text='空：自己的名称，不随工作区变化', null=True, verbose_name='名称版本'),
        ),
        migrations.AddField(
            model_name='diagnosis',
            name='panel_version',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='diagnoses', to='diagnosis.panelversion', verbose_name='问题集的版本'),
        ),
        migrations.AddField(
            model_name='diagnosis',
            name='workspace',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='diagnoses', to='diagnosis.workspace', verbose_name='工作区'),
        ),
    ]
