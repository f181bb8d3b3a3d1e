"""The endpoints of the demo platform, at the paths of the platforms."""

from django.urls import path

from diagnosis.platforms.demo import views
from diagnosis.platforms.demo.chat import chat_completions

urlpatterns = [
    path("chat/completions", chat_completions, name="demo-platform"),
    path("responses", views.responses),
    path("agent", views.agent),
    path("messages", views.messages),
    path("services/aigc/text-generation/generation", views.dashscope),
    path("models", views.models),
    path("models/<str:model>:generateContent", views.gemini),
    path("formulas/moonshot/web-search:latest/tools", views.formula_tools),
    path("formulas/moonshot/web-search:latest/fibers", views.fibers),
]
