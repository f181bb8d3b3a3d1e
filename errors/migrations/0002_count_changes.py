"""Whatever changes what users see counts the catalogue's version up in the same transaction: admin, code or psql."""

from django.db import migrations

COUNT_UP = """
CREATE FUNCTION errors_count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Starts at the clock, so that a number is not used again after the table has been emptied.
    INSERT INTO errors_catalogueversion (id, number)
    VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    ON CONFLICT (id) DO UPDATE SET number = errors_catalogueversion.number + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER errors_copy_published AFTER UPDATE OF published_id ON errors_errorcopy
    FOR EACH ROW WHEN (OLD.published_id IS DISTINCT FROM NEW.published_id) EXECUTE FUNCTION errors_count_change();
CREATE TRIGGER errors_copy_removed AFTER DELETE OR TRUNCATE ON errors_errorcopy
    FOR EACH STATEMENT EXECUTE FUNCTION errors_count_change();
CREATE TRIGGER errors_override_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON errors_copyoverride
    FOR EACH STATEMENT EXECUTE FUNCTION errors_count_change();
"""

COUNT_NO_MORE = """
DROP TRIGGER errors_copy_published ON errors_errorcopy;
DROP TRIGGER errors_copy_removed ON errors_errorcopy;
DROP TRIGGER errors_override_changed ON errors_copyoverride;
DROP FUNCTION errors_count_change();
"""


class Migration(migrations.Migration):
    dependencies = [("errors", "0001_initial")]

    operations = [migrations.RunSQL(COUNT_UP, COUNT_NO_MORE)]
