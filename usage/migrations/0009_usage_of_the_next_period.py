from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0008_plain_labels'),
    ]

    operations = [
        migrations.AddField(
            model_name='usagecounter',
            name='closed_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='usage until'),
        ),
        migrations.AddField(
            model_name='usagecounter',
            name='moved_events',
            field=models.PositiveBigIntegerField(db_default=0, default=0, verbose_name='events taken out again'),
        ),
    ]
