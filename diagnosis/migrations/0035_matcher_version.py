from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnosis", "0034_suggestions"),
    ]

    operations = [
        migrations.AddField(
            model_name="answer",
            name="matcher_version",
            field=models.PositiveSmallIntegerField(
                "识别规则版本", db_default=0, default=0, help_text="0：没有记录的早期版本"
            ),
        ),
    ]
