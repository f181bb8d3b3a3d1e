from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from diagsite import jobs_admin
from diagsite.models import User

__all__ = ["jobs_admin"]  # its registration

admin.site.site_header = "品牌 AI 可见度诊断"
admin.site.site_title = "运营后台"
admin.site.index_title = "运营"
admin.site.register(User, UserAdmin)
