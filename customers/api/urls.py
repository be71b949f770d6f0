from customers.api.views import CustomerViewSet, PackViewSet, PlanViewSet
from telcox.common.web.routers import Router

router = Router()
router.register("customers", CustomerViewSet, basename="customer")
router.register("plans", PlanViewSet, basename="plan")
router.register("packs", PackViewSet, basename="pack")

urlpatterns = router.urls
