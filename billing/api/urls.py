from billing.api.office import InvoiceOfficeViewSet, PaymentOfficeViewSet
from billing.api.overdue import OverdueViewSet
from billing.api.subscriptions import SubscriptionViewSet
from billing.api.views import BillingViewSet, WalletViewSet
from telcox.common.web.routers import Router

router = Router()
router.register("customers", BillingViewSet, basename="billing")
router.register("customers", WalletViewSet, basename="wallet")
router.register("customers", SubscriptionViewSet, basename="subscription")
router.register("invoices/overdue", OverdueViewSet, basename="overdue")
router.register("invoices", InvoiceOfficeViewSet, basename="invoice-office")
router.register("payments", PaymentOfficeViewSet, basename="payment-office")

urlpatterns = router.urls
