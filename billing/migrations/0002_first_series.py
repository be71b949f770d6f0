from django.db import migrations


def create(apps, schema_editor):
    """The series the default configuration numbers from. In a migration, not a fixture: loading a fixture again would
    set back the last number given."""
    apps.get_model("billing", "InvoiceSeries").objects.get_or_create(prefix="001-001")


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
