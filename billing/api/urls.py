from billing.api.subscriptions import SubscriptionViewSet
from billing.api.views import BillingViewSet, DocumentViewSet, WalletViewSet
from telcox.common.routers import Router

router = Router()
router.register("customers", BillingViewSet, basename="billing")
router.register("customers", DocumentViewSet, basename="document")
router.register("customers", WalletViewSet, basename="wallet")
router.register("customers", SubscriptionViewSet, basename="subscription")

urlpatterns = router.urls
