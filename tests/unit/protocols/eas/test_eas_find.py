"""FIND: what a list shows of mail and people."""

import pytest
from tests.unit.protocols.eas.eas_finding import ask, index
from tests.unit.protocols.eas.house import play
from tests.unit.protocols.eas.test_eas_search import mail

from posthouse.model.folder import FolderRole


async def find(house, inner):
    return await ask(house, "Find", f"<SearchId>1</SearchId><ExecuteSearch>{inner}</ExecuteSearch>")


def criterion(words, where="", options=""):
    return (
        f"<MailBoxSearchCriterion><Query><FreeText>{words}</FreeText>{where}</Query>"
        f"<Options>{options}</Options></MailBoxSearchCriterion>"
    )


def test_mail():
    async def scene(house):
        index(house)
        await mail(house, "Report", "Words in it.")
        answer = await find(house, criterion("from:someone subject:rep"))
        assert answer.text_of("Status") == "1"
        response = answer.child("Response")
        assert response.text_of("ItemOperations:Store") == "Mailbox"
        assert (response.text_of("Range"), response.text_of("Total")) == ("0-0", "1")
        result = response.child("Result")
        inbox = await house.folder("alice")
        assert result.text_of("AirSync:CollectionId") == inbox
        assert result.text_of("AirSync:ServerId").startswith(f"{inbox}:")
        properties = result.child("Properties")
        assert properties.text_of("Email:Subject") == "Report"
        assert properties.text_of("Email:Read") == "0"
        assert properties.text_of("Preview") == "Words in it."
        assert properties.text_of("HasAttachments") == "0"
        assert properties.text_of("Email:From") == '"Someone" <someone@example.net>'

    play(scene)


def test_nothing_and_ranges():
    async def scene(house):
        index(house)
        await mail(house, "Report")
        nothing = (await find(house, criterion("zoe"))).child("Response")
        assert nothing.child("Result") is None
        assert nothing.text_of("Total") == "0"
        beyond = await find(house, criterion("report", options="<Range>5-9</Range>"))
        assert beyond.find("Response", "Status").text == "4"
        gone = "<AirSync:CollectionId>9999</AirSync:CollectionId>"
        assert (await find(house, criterion("report", gone))).text_of("Status") == "3"
        sent = await house.folder("alice", FolderRole.SENT)
        where = f"<AirSync:CollectionId>{sent}</AirSync:CollectionId>"
        response = (await find(house, criterion("report", where))).child("Response")
        assert response.text_of("Total") == "0"

    play(scene)


def test_people():
    async def scene(house):
        inner = (
            "<GalSearchCriterion><Query>bob</Query><Options><Range>0-9</Range><Picture/></Options>"
            "</GalSearchCriterion>"
        )
        response = (await find(house, inner)).child("Response")
        assert response.text_of("ItemOperations:Store") == "GAL"
        properties = response.child("Result").child("Properties")
        assert properties.text_of("GAL:EmailAddress") == "bob@example.org"
        assert properties.find("GAL:Picture", "Status").text == "173"

    play(scene)


@pytest.mark.parametrize(
    "inner",
    ["", criterion(""), "<MailBoxSearchCriterion/>", "<GalSearchCriterion/>", criterion("...")],
)
def test_nothing_to_look_for(inner):
    async def scene(house):
        answer = await find(house, inner)
        if "..." in inner:
            assert answer.child("Response").text_of("Total") == "0"
        else:
            assert answer.text_of("Status") == "2"

    play(scene)
