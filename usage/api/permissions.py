"""Permissions for reporting usage over REST."""

from telcox.common.web.permissions import MayDo


class MayReportUsage(MayDo):
    permission = "usage.report_usage"
