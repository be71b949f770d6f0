from telcox.common.web.routers import Router
from usage.api.views import (
    DevUsageEventViewSet,
    LineUsageHistoryViewSet,
    LineUsageViewSet,
    UsageEventsViewSet,
)

router = Router()
router.register("customers", LineUsageViewSet, basename="line-usage")
router.register("customers", LineUsageHistoryViewSet, basename="line-usage-history")
router.register("usage/events", UsageEventsViewSet, basename="usage-events")
router.register("dev/usage-event", DevUsageEventViewSet, basename="dev-usage-event")

urlpatterns = router.urls
