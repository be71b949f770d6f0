from customers.api.views import CustomerViewSet, PlanViewSet
from telcox.common.routers import Router

router = Router()
router.register("customers", CustomerViewSet, basename="customer")
router.register("plans", PlanViewSet, basename="plan")

urlpatterns = router.urls
