from billing.api.views import BillingViewSet
from telcox.common.routers import Router

router = Router()
router.register("customers", BillingViewSet, basename="billing")

urlpatterns = router.urls
