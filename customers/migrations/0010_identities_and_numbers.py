"""Customers get the kind of their identity, and identities and phone numbers their normal form."""

import re

from django.conf import settings
from django.db import migrations, models

# As telcox/common/characters.py, phone.py and identity.py had it on the day of this migration.
INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
MARKS = re.compile(r"[\s.\-()\u2010-\u2015\u2212]")
INTERNATIONAL = re.compile(r"(?:\+|00)?5930?([1-9][0-9]{7,8})")
WITHOUT_TRUNK = re.compile(r"[2-7][0-9]{7}|9[0-9]{8}")
CEDULA = re.compile(r"(?:0[1-9]|1[0-9]|2[0-4]|30|50)[0-6][0-9]{7}")
RUC = re.compile(r"(?:0[1-9]|1[0-9]|2[0-4]|30|50)[0-69][0-9]{10}")

AT_ONCE = 1000


def plain(text):
    return MARKS.sub("", INVISIBLE.sub("", text))


def number_in_normal_form(number):
    digits = plain(number)
    if match := INTERNATIONAL.fullmatch(digits):
        return "0" + match[1]
    return "0" + digits if WITHOUT_TRUNK.fullmatch(digits) else digits


def identity_in_normal_form(number):
    normal = plain(number).upper()
    return normal if re.fullmatch("[0-9A-Z]+", normal) else number


def kind_of(number):
    if CEDULA.fullmatch(number):
        doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(number)]
        return "" if sum(each - 9 * (each > 9) for each in doubled) % 10 else "CEDULA"
    return "RUC" if RUC.fullmatch(number) and not number.endswith("000") else ""


def in_pieces(rows):
    last = 0
    while piece := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield piece
        last = piece[-1].pk


def fill(apps, schema_editor):
    """A number whose normal form is taken stays as it is: verify_billing names it, and a person decides."""
    customers = apps.get_model("customers", "Customer").objects.using(schema_editor.connection.alias)
    for piece in in_pieces(customers.only("dni")):
        by_kind = {"CEDULA": [], "RUC": []}
        for customer in piece:
            normal = identity_in_normal_form(customer.dni)
            others = customers.filter(dni=normal).exclude(pk=customer.pk)
            if normal != customer.dni and not others.exists():
                customers.filter(pk=customer.pk).update(dni=normal)
            if kind := kind_of(normal):
                by_kind[kind].append(customer.pk)
        for kind, keys in by_kind.items():
            customers.filter(pk__in=keys).update(identity_kind=kind)
    if settings.NUMBERING_PLAN:
        return  # the forms above are those of Ecuador
    lines = apps.get_model("customers", "Line").objects.using(schema_editor.connection.alias)
    for piece in in_pieces(lines.only("phone_number")):
        for line in piece:
            normal = number_in_normal_form(line.phone_number)
            others = lines.filter(phone_number=normal).exclude(pk=line.pk)
            if normal != line.phone_number and not others.exists():
                lines.filter(pk=line.pk).update(phone_number=normal)


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0009_plain_labels"),
    ]

    operations = [
        migrations.AlterField(
            model_name="customer",
            name="dni",
            field=models.CharField(
                help_text="Number of the identity card (10 digits), RUC (13 digits) or passport",
                max_length=13,
                unique=True,
                verbose_name="DNI",
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="identity_kind",
            field=models.CharField(
                blank=True,
                choices=[
                    ("CEDULA", "Identity card (cédula)"),
                    ("RUC", "RUC"),
                    ("PASSPORT", "Passport"),
                ],
                default="",
                help_text="Empty: the number decides. A passport must be named as one.",
                max_length=8,
                verbose_name="kind of identity",
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(("identity_kind__in", ("", "CEDULA", "RUC", "PASSPORT"))),
                name="customer_identity_kind_known",
            ),
        ),
        # The spelling that a number had before is not kept: there is nothing to go back to.
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
