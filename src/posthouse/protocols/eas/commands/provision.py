"""PROVISION: hands out the policy, hears that it was taken, tells a phone to erase itself.

Spec: [MS-ASPROV] §3.2.5.1, §3.1.5.2.

Notes:
    - A phone that is to be erased is told nothing else, whatever it asks.
    - Its word that it has erased everything is as good where the account alone was meant; the
      other way round it is told again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.model.partnership import Wipe
from posthouse.protocols.eas.errors import Common
from posthouse.protocols.eas.wire.provision import (
    POLICY_TYPE,
    PolicyAnswer,
    ProvisionAnswer,
    ProvisionRequest,
    element_from_answer,
    request_from_element,
)
from posthouse.services.devices.policies import Taken, can_be_wiped

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.provision import PolicyAsked

_SUCCESS: Final = 1
_WIPE_FAILED: Final = 2
_UNKNOWN_POLICY_TYPE: Final = 3
_OF_THE_COMMAND: Final = frozenset({Taken.NOT_IN_FULL, Taken.MANAGED_ELSEWHERE})


async def handle(call: Call, request: Element | None) -> Element:
    """Answer one of the round trips; ``call.partnership`` is as it stands then.

    Raises:
        RemoteProtocolError: see ``request_from_element``.
        NotFound: the operator forgot the phone meanwhile.
    """
    asked = ProvisionRequest() if request is None else request_from_element(request)
    return element_from_answer(_answer(call, asked))


def _answer(call: Call, asked: ProvisionRequest) -> ProvisionAnswer:
    phones = call.services.partnerships
    is_wipe = asked.wipe is not None or asked.account_wipe is not None
    if call.partnership.wipe in (Wipe.REQUESTED, Wipe.SENT) and can_be_wiped(call.partnership):
        return _wipe(call, asked, says_so=is_wipe)
    if is_wipe:
        return ProvisionAnswer(_SUCCESS)
    device_status = None
    if asked.device is not None:
        call.partnership = phones.describe(call.partnership, asked.device)
        device_status = _SUCCESS
    if asked.policy is None:
        return ProvisionAnswer(_SUCCESS, device_status)
    if asked.policy.policy_type != POLICY_TYPE:
        refused = PolicyAnswer(asked.policy.policy_type, _UNKNOWN_POLICY_TYPE)
        return ProvisionAnswer(_SUCCESS, device_status, refused)
    if asked.policy.status is not None:
        return _taken(call, asked.policy, asked.policy.status, device_status)
    if asked.device is None:
        return ProvisionAnswer(Common.DEVICE_INFORMATION_REQUIRED)
    call.partnership = phones.begin_provision(call.partnership)
    key = call.partnership.pending_policy_key
    handed = PolicyAnswer(POLICY_TYPE, _SUCCESS, key, phones.rules.policy)
    return ProvisionAnswer(_SUCCESS, device_status, handed)


def _wipe(call: Call, asked: ProvisionRequest, *, says_so: bool) -> ProvisionAnswer:
    """Tell it to erase, or hear that it has."""
    phones = call.services.partnerships
    wipes_device = call.partnership.wipes_device
    if asked.wipe == _SUCCESS or (asked.account_wipe == _SUCCESS and not wipes_device):
        call.partnership = phones.note_wipe_done(call.partnership)
        return ProvisionAnswer(_SUCCESS)
    call.partnership = phones.note_wipe_sent(call.partnership)
    return ProvisionAnswer(
        _WIPE_FAILED if says_so else _SUCCESS,
        wipes_device=wipes_device,
        wipes_account=not wipes_device,
    )


def _taken(
    call: Call, asked: PolicyAsked, status: int, device_status: int | None
) -> ProvisionAnswer:
    """Hear what became of the policy."""
    phones = call.services.partnerships
    result, call.partnership = phones.acknowledge(call.partnership, asked.key, status)
    if result in _OF_THE_COMMAND:
        return ProvisionAnswer(result, device_status)
    key = call.partnership.policy_key if result is Taken.OK else 0
    return ProvisionAnswer(_SUCCESS, device_status, PolicyAnswer(POLICY_TYPE, result, key))
