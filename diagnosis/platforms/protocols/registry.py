"""The protocols by the name that a platform row stores."""

from diagnosis.platforms.protocols.base import Protocol
from diagnosis.platforms.protocols.chat import ChatProtocol, QianfanProtocol, ZhipuProtocol
from diagnosis.platforms.protocols.dashscope import DashScopeMultimodalProtocol, DashScopeProtocol
from diagnosis.platforms.protocols.gemini import GeminiProtocol
from diagnosis.platforms.protocols.kimi import KimiProtocol
from diagnosis.platforms.protocols.messages import DeepSeekProtocol, MessagesProtocol
from diagnosis.platforms.protocols.responses import (
    ArkProtocol,
    PerplexityProtocol,
    ResponsesProtocol,
    TokenHubProtocol,
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        ChatProtocol(),
        ZhipuProtocol(),
        QianfanProtocol(),
        KimiProtocol(),
        ResponsesProtocol(),
        ArkProtocol(),
        TokenHubProtocol(),
        PerplexityProtocol(),
        MessagesProtocol(),
        DeepSeekProtocol(),
        DashScopeProtocol(),
        DashScopeMultimodalProtocol(),
        GeminiProtocol(),
    )
}
