"""The admin pages of the site itself: accounts, feedback, jobs, audit log, failed sign-ins."""

from django.contrib import admin

from diagsite.admin import audit_log, feedback, jobs, sign_ins, users

__all__ = ["audit_log", "feedback", "jobs", "sign_ins", "users"]

admin.site.site_header = "品牌 AI 可见度诊断"
admin.site.site_title = "运营后台"
admin.site.index_title = "运营"
