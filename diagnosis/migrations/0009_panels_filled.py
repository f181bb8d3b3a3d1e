from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from diagnosis.trends.panels import compute_panel_key

AT_ONCE = 500


def fill_panels(apps, schema_editor):
    """Tell the panel of every diagnosis that was made before there were any; each batch is a commit of its own."""
    Diagnosis, Answer = apps.get_model("diagnosis", "Diagnosis"), apps.get_model("diagnosis", "Answer")
    last = None
    while True:
        rows = Diagnosis.objects.using(schema_editor.connection.alias).filter(panel="").order_by("pk")
        batch = list((rows.filter(pk__gt=last) if last else rows).only("pk", "brand").prefetch_related("questions")[:AT_ONCE])
        if not batch:
            return
        asked = {}
        pairs = Answer.objects.using(schema_editor.connection.alias).filter(diagnosis__in=batch).order_by()
        for diagnosis, platform in pairs.values_list("diagnosis_id", "platform_id").distinct():
            asked.setdefault(diagnosis, set()).add(platform)
        for row in batch:
            texts = [question.text for question in row.questions.all()]
            row.panel = compute_panel_key(row.brand, texts, asked.get(row.pk, ()))
        Diagnosis.objects.using(schema_editor.connection.alias).bulk_update(batch, ["panel"])
        last = batch[-1].pk


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("diagnosis", "0008_panels_and_schedules")]
    operations = [
        migrations.RunPython(fill_panels, migrations.RunPython.noop, elidable=True),
        # Diagnoses are written meanwhile. What was given up half-way for a lock is begun again.
        migrations.RunSQL(
            [
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_panel",
                "DROP INDEX CONCURRENTLY IF EXISTS diagnosis_diagnosis_schedule",
            ],
            migrations.RunSQL.noop,
            elidable=True,
        ),
        AddIndexConcurrently(
            "diagnosis",
            models.Index(fields=["owner", "panel", "-created_at"], name="diagnosis_diagnosis_panel"),
        ),
        AddIndexConcurrently(
            "diagnosis",
            models.Index(
                fields=["schedule"],
                name="diagnosis_diagnosis_schedule",
                condition=models.Q(schedule__isnull=False),
            ),
        ),
    ]
