import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Max, OuterRef, Subquery

PERIODS_AT_ONCE = 5_000


def fill_holders(apps, schema_editor):
    """Every period is its line's present holder's. billing/0022 corrects those that were billed to another."""
    Subscription, Line = apps.get_model("customers", "Subscription"), apps.get_model("customers", "Line")
    holder = Line.objects.filter(pk=OuterRef("line_id")).values("customer")[:1]
    last = Subscription.objects.aggregate(last=Max("pk"))["last"] or 0
    for after in range(0, last, PERIODS_AT_ONCE):
        some = Subscription.objects.filter(pk__gt=after, pk__lte=after + PERIODS_AT_ONCE, customer=None)
        some.update(customer=Subquery(holder))


def forget_changes(apps, schema_editor):
    """Delete the steps that the constraint from before does not know. Lines keep their present holder."""
    apps.get_model("customers", "LineEvent").objects.filter(step="CHANGE_HOLDER").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0011_terms_revised"),
    ]

    operations = [
        migrations.CreateModel(
            name="HolderChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="when")),
                ("by", models.CharField(blank=True, max_length=150, verbose_name="by")),
                ("why", models.CharField(max_length=200, verbose_name="why")),
                (
                    "balance",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=12, verbose_name="balance handed over"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holder_changes",
                        to="customers.line",
                        verbose_name="line",
                    ),
                ),
                (
                    "previous",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                        verbose_name="previous holder",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                        verbose_name="new holder",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of holder",
                "verbose_name_plural": "changes of holder",
                "ordering": ("-id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=~models.Q(previous=F("customer")), name="holder_change_to_another"
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="lineevent", name="line_event_step_known"),
        migrations.AlterField(
            model_name="lineevent",
            name="step",
            field=models.CharField(
                choices=[
                    ("ACTIVATE", "Plan sold"),
                    ("RENEW", "Renewed"),
                    ("RENEWAL_REFUSED", "Not renewed"),
                    ("CHANGE_PLAN", "Plan changed"),
                    ("SCHEDULE_CHANGE", "Plan change scheduled"),
                    ("CANCEL_CHANGE", "Plan change cancelled"),
                    ("BUY_PACK", "Pack bought"),
                    ("REVISE_TERMS", "Terms revised"),
                    ("SUSPEND", "Suspended"),
                    ("RESUME", "Resumed"),
                    ("TERMINATE", "Terminated"),
                    ("SCHEDULE_END", "End scheduled"),
                    ("CANCEL_END", "Scheduled end cancelled"),
                    ("CHANGE_HOLDER", "Holder changed"),
                ],
                max_length=16,
                verbose_name="step",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="customer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subscriptions",
                to="customers.customer",
                verbose_name="customer",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="spend_limit",
            field=models.DecimalField(
                decimal_places=2,
                default=0,
                help_text="In dollars, for packs and overage together; 0: none",
                max_digits=12,
                verbose_name="spending limit",
            ),
        ),
        migrations.RunPython(fill_holders, forget_changes),
        migrations.AlterField(
            model_name="subscription",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subscriptions",
                to="customers.customer",
                verbose_name="customer",
            ),
        ),
        migrations.AddConstraint(
            model_name="holderchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("balance__gte", 0)), name="holder_change_balance_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="lineevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "step__in",
                        [
                            "ACTIVATE",
                            "RENEW",
                            "RENEWAL_REFUSED",
                            "CHANGE_PLAN",
                            "SCHEDULE_CHANGE",
                            "CANCEL_CHANGE",
                            "BUY_PACK",
                            "REVISE_TERMS",
                            "SUSPEND",
                            "RESUME",
                            "TERMINATE",
                            "SCHEDULE_END",
                            "CANCEL_END",
                            "CHANGE_HOLDER",
                        ],
                    )
                ),
                name="line_event_step_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("spend_limit__gte", 0)), name="subscription_spend_limit_not_negative"
            ),
        ),
    ]
