from billing.api.views import BillingViewSet, WalletViewSet
from telcox.common.routers import Router

router = Router()
router.register("customers", BillingViewSet, basename="billing")
router.register("customers", WalletViewSet, basename="wallet")

urlpatterns = router.urls
