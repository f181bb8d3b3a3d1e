from django.db import migrations

ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(apps, alias, old, new):
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    for action in ACTIONS:
        permissions.filter(content_type__app_label="diagsite", codename=f"{action}_{old}").update(
            codename=f"{action}_{new}"
        )


def rename_permissions_forwards(apps, schema_editor):
    rename_permissions(apps, schema_editor.connection.alias, "notice", "notification")


def rename_permissions_backwards(apps, schema_editor):
    rename_permissions(apps, schema_editor.connection.alias, "notification", "notice")


class Migration(migrations.Migration):
    """Rename the model; its table, indexes and constraints keep their names. Django renames the content type."""

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("diagsite", "0004_roles"),
    ]

    operations = [
        # RenameModel leaves a table alone that has the same explicit name before and after.
        migrations.AlterModelTable(name="notice", table="diagsite_notice"),
        migrations.RenameModel(old_name="Notice", new_name="Notification"),
        migrations.RunPython(rename_permissions_forwards, rename_permissions_backwards),
    ]
