from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnosis", "0020_recent_latencies"),
    ]

    operations = [
        migrations.AddField(
            model_name="answer",
            name="discovered",
            field=models.JSONField("推测的其他品牌", blank=True, db_default=[], default=list),
        ),
    ]
