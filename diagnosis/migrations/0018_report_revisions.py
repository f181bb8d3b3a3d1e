from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnosis", "0017_skipped_for_budget"),
    ]

    operations = [
        migrations.AddField(
            model_name="diagnosis",
            name="revision",
            field=models.PositiveIntegerField("更正次数", db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="diagnosis",
            name="report_revision",
            field=models.PositiveIntegerField("报告所含的更正", db_default=0, default=0, editable=False),
        ),
        migrations.AddIndex(
            model_name="diagnosis",
            index=models.Index(
                condition=models.Q(("revision__gt", models.F("report_revision"))),
                fields=["id"],
                name="diagnosis_diagnosis_outdated",
            ),
        ),
    ]
