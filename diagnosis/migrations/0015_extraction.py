from django.db import migrations, models


class Migration(migrations.Migration):
    """Add `is_truncated`. Rename the field `verdicts` to `extraction`; the column keeps its name, so that both releases can run."""

    dependencies = [
        ("diagnosis", "0014_waiting_schedules"),
    ]

    operations = [
        migrations.AlterField(
            model_name="answer",
            name="verdicts",
            field=models.JSONField(
                "评估模型的提取", null=True, blank=True, db_column="verdicts", help_text="空：未评估"
            ),
        ),
        migrations.RenameField(model_name="answer", old_name="verdicts", new_name="extraction"),
        migrations.AddField(
            model_name="answer",
            name="is_truncated",
            field=models.BooleanField("被截断", default=False, db_default=False),
        ),
    ]
