"""URL of the WebSocket."""

from django.urls import path

from progress.consumers import StreamConsumer

websocket_urlpatterns = [path("ws/diagnosis/<str:stream>/", StreamConsumer.as_asgi())]
