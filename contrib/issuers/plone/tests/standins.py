"""Stand-ins for the parts of Plone that the add-on uses, so that its tests need no Plone.

Real, from Debian: zope.interface, zope.component, zope.configuration, zope.event, transaction, and the add-on itself
with its ZCML. Stood in for, here, with no more than the add-on asks of them: the request and response of Zope, the
directive browser:page, App.config, plone.api, and the interfaces of Plone and its user folder. So these tests show what
the add-on does when it is asked, and not that Plone asks.
"""
import sys
import types

import zope.component.event  # subscribers are told of events by it
import zope.component.zcml
import zope.schema
from zope.configuration import xmlconfig
from zope.configuration.config import ConfigurationMachine, defineSimpleDirective
from zope.configuration.fields import GlobalObject
from zope.interface import Interface, implementer

BROWSER = "http://namespaces.zope.org/browser"


class IBrowserRequest(Interface):
    pass


class IPloneSiteRoot(Interface):
    pass


class ICollectiveConverseLayer(IBrowserRequest):
    pass


class IPrincipalDeletedEvent(Interface):
    pass


class IUserLoggedOutEvent(Interface):
    pass


class PASEvent:
    def __init__(self, principal):
        self.principal = principal


@implementer(IPrincipalDeletedEvent)
class PrincipalDeleted(PASEvent):
    """Products.PluggableAuthService: its principal is the id of a user who was there."""


@implementer(IUserLoggedOutEvent)
class UserLoggedOutEvent(PASEvent):
    """Products.PlonePAS: its principal is a user, who may be nobody."""


class User:
    def __init__(self, user_id):
        self._id = user_id

    def getId(self):
        return self._id


@implementer(IPloneSiteRoot)
class Site:
    def __init__(self, site_id="Plone", member_ids=()):
        self._id = site_id
        self._member_ids = list(member_ids)

    def getId(self):
        return self._id

    def listMemberIds(self):
        return self._member_ids


class Response:
    def __init__(self):
        self.status, self.headers = 200, {}

    def setStatus(self, status):
        self.status = status

    def setHeader(self, name, value):
        self.headers[name] = value


@implementer(IBrowserRequest)
class Request:
    def __init__(self, method="GET", headers=None):
        self.response = Response()
        self._method, self._headers = method, headers or {}

    def get(self, name, default=None):
        return self._method if name == "REQUEST_METHOD" else default

    def getHeader(self, name, default=None):
        return self._headers.get(name, default)


class BrowserView:
    def __init__(self, context, request):
        self.context, self.request = context, request


class IPage(Interface):
    """The attributes of browser:page that the add-on uses."""

    for_ = GlobalObject()
    name = zope.schema.TextLine()
    class_ = GlobalObject()
    permission = zope.schema.TextLine()
    layer = GlobalObject(required=False)


def page(context, for_, name, class_, permission, layer=IBrowserRequest):
    view = type(class_.__name__, (class_,), {"permission": permission})
    context.action(
        discriminator=("view", for_, name, layer),
        callable=zope.component.zcml.handler,
        args=("registerAdapter", view, (for_, layer), Interface, name, context.info),
    )


class State:
    """What the modules below answer. A test changes it."""

    def __init__(self):
        self.product_config = None
        self.record = None
        self.site = Site()
        self.user_id = None  # nobody


state = State()


def module(name, **contents):
    made = types.ModuleType(name)
    made.__dict__.update(contents)
    made.__path__ = []
    sys.modules[name] = made
    parent, _, child = name.rpartition(".")
    if parent:
        if parent not in sys.modules:
            module(parent)
        setattr(sys.modules[parent], child, made)
    return made


class CannotGetPortalError(Exception):
    """plone.api.exc: there is no Plone site here."""


def get_portal():
    if state.site is None:
        raise CannotGetPortalError
    return state.site


class Configuration:
    @property
    def product_config(self):
        return state.product_config


def install():
    module("App.config", getConfiguration=Configuration)
    module("Products.Five.browser", BrowserView=BrowserView)
    module("plone.base.interfaces", IPloneSiteRoot=IPloneSiteRoot)
    module(
        "Products.PluggableAuthService.interfaces.events",
        IPrincipalDeletedEvent=IPrincipalDeletedEvent,
        IUserLoggedOutEvent=IUserLoggedOutEvent,
    )
    module("plone.api.exc", CannotGetPortalError=CannotGetPortalError)
    module(
        "plone.api.portal",
        get=get_portal,
        get_tool=lambda name: {"portal_membership": state.site}[name],
        get_registry_record=lambda name, default: state.record or default,
    )
    module(
        "plone.api.user",
        is_anonymous=lambda: state.user_id is None,
        get_current=lambda: User(state.user_id),
    )


def load_zcml(package, *others):
    """Load the add-on's ZCML as Plone does: configure.zcml, and then what overrides it and files of other add-ons."""
    context = ConfigurationMachine()
    xmlconfig.registerCommonDirectives(context)
    xmlconfig.include(context, "meta.zcml", zope.component)
    defineSimpleDirective(context, "page", IPage, page, BROWSER)
    for other in others:
        xmlconfig.include(context, other)
    xmlconfig.include(context, "configure.zcml", package)
    xmlconfig.includeOverrides(context, "overrides.zcml", package)
    context.execute_actions()
