from billing.api.views import BillingViewSet, SubscriptionViewSet
from telcox.common.routers import Router

router = Router()
router.register("customers", BillingViewSet, basename="billing")
router.register("customers", SubscriptionViewSet, basename="subscription")

urlpatterns = router.urls
