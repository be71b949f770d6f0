"""What the back-office shows of use."""

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Line, Subscription
from usage.models import UsageCounter
from usage.tests.batches import GIB, JESUS, make_free

pytestmark = pytest.mark.django_db


def test_the_bar_of_data_leaves_out_what_is_free(seeded: None, admin_client: Client) -> None:
    line = Line.objects.get(phone_number=JESUS)
    period = Subscription.objects.get(line=line)
    UsageCounter.objects.filter(pk=period.pk).update(used_social_bytes=7 * GIB, used_entertainment_bytes=GIB)
    for fields, bar in [((), 8 * GIB), (("zero_rated_social",), GIB)]:
        make_free(*fields)
        counter = UsageCounter.objects.get(pk=period.pk)
        other = counter.total_bytes - 8 * GIB
        for page in (
            reverse("admin:customers_line_changelist"),
            reverse("admin:customers_line_change", args=[line.pk]),
        ):
            assert f'value="{bar + other}"' in admin_client.get(page).content.decode()
