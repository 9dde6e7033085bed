"""Settings of how it looks and where it is: brand, region, usage display, links, optional features."""

# ruff: noqa: RUF009 - key(), section() and block() make dataclass fields
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from omnicrm.settings.keys import block, block_kind, key, section
from omnicrm.settings.kinds import (
    COLOUR,
    EXISTING_FILE,
    FLAG,
    FOLDER,
    LOCALE,
    SECRET,
    TEXT,
    URL,
    At,
    Bad,
    Kind,
    choice,
    integer,
    list_of,
    word,
)
from omnicrm.settings.payment import CURRENCY
from omnicrm.settings.secret import Secret

#: Families that ship with the product; System stands for the device's own.
FONTS = (
    *("Inter", "Roboto", "Open Sans", "Lato", "Quicksand", "Poppins", "Nunito", "Montserrat", "Work Sans"),
    *("Source Sans Pro", "Raleway", "Ubuntu", "Josefin Sans", "HKGrotesk"),
    *("Merriweather", "Lora", "Playfair Display", "System"),
)


def _timezone(raw: Any, at: At) -> str:
    name = word(raw)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise Bad(f"{name!r} is not a time zone; write a name such as UTC or Australia/Sydney") from None
    return name


@dataclass(frozen=True)
class Colors:
    primary: str = key(COLOUR, "Buttons, links, navigation.", "#405189")
    secondary: str = key(COLOUR, "Accent.", "#2bFFcf")
    tertiary: str = key(COLOUR, "Further accent.", "#1a9fbf")
    success: str = key(COLOUR, "Success.", "#28a745")
    info: str = key(COLOUR, "Information.", "#17a2b8")
    warning: str = key(COLOUR, "Warning.", "#ffc107")
    danger: str = key(COLOUR, "Error.", "#dc3545")
    light: str = key(COLOUR, "Light backgrounds.", "#f8f9fa")
    dark: str = key(COLOUR, "Dark text.", "#343a40")
    primary_dark: str = key(
        COLOUR, "Hover and dark mode.", otherwise="`branding.colors.primary`, 20 % darker", sample='"#33416e"'
    )


@dataclass(frozen=True)
class Quote:
    text: str = key(TEXT, "The words.")
    author: str = key(TEXT, "Who said them.", "")


@dataclass(frozen=True)
class Branding:
    company_name: str = key(TEXT, "Company name.", "OmniCRM")
    portal_name: str = key(TEXT, "Name of the staff portal.", "OmniCRM")
    self_care_name: str = key(TEXT, "Name of the customer portal.", "Self Care")
    company_tagline: str = key(TEXT, "Line on the login page.", "", sample="Phones for everyone")
    colors: Colors = section(Colors, 'Colours, in quotes: "#RRGGBB".')
    font_family: str = key(TEXT, "One of " + ", ".join(FONTS) + ", or a font in `fonts_dir`.", "Quicksand")
    fonts_dir: Path = key(FOLDER, "Your own fonts: <name>/<name>-400.woff2 and so on.", Path("branding/fonts"))
    assets_dir: Path = key(FOLDER, "Your logos and icons.", Path("branding"))
    auth_background: Path | None = key(
        EXISTING_FILE, "Picture behind the login.", otherwise="built-in", sample="branding/login.jpg"
    )
    auth_quotes: tuple[Quote, ...] = key(
        list_of(block_kind(Quote, first="text")),
        "Quotes beside the login.",
        (),
        sample="[{text: Service with a smile, author: Our customers}]",
    )
    custom_css: Path | None = key(
        EXISTING_FILE, "Style sheet loaded last.", otherwise="none", sample="branding/custom.css"
    )
    favicon: Path | None = key(
        EXISTING_FILE, "Icon in the browser.", otherwise="built-in", sample="branding/favicon.ico"
    )


@dataclass(frozen=True)
class Regional:
    default_location: str = key(
        TEXT, "Where maps begin.", otherwise="value of `regional.default_country`", sample="Sydney, Australia"
    )
    default_country: str = key(TEXT, "Preset of forms.", "United Kingdom")
    default_language: str = key(
        choice("ar", "ch", "en", "fr", "gr", "it", "ru", "sp", aliases={"zh": "ch", "el": "gr", "es": "sp"}),
        "Language of the pages.",
        "en",
    )
    locale: str = key(LOCALE, "Format of dates and numbers.", "en-GB")
    currency_code: str = key(
        CURRENCY, "The deployment's one currency.", otherwise="that of `stripe.currency`, else USD", sample="USD"
    )
    currency_symbol: str = key(TEXT, "How it is written.", otherwise="the symbol of the code", sample="$")
    timezone: str = key(Kind("time zone", _timezone), "Zone of shown dates and of calendar months.", "UTC")


@dataclass(frozen=True)
class Usage:
    unlimited_from: int = key(integer(1, 10**15), "Allowances from here on count as unlimited.", 999_999_999)
    low_balance_percent: int = key(integer(0, 100), "Below this a balance is low.", 20)
    expiring_soon_days: int = key(integer(0, 365), "Services that end within so many days are marked.", 7)
    colour_limits: tuple[int, ...] = key(
        list_of(integer(0, 100)), "Green above the first, red below the second.", (50, 20)
    )


@dataclass(frozen=True)
class Search:
    per_page: int = key(integer(1, 100), "Hits on a page of the global search.", 10)


@dataclass(frozen=True)
class Google:
    api_key: str | None = key(
        TEXT, "Maps and address completion; browsers see this key.", otherwise="no Google maps", sample="your_maps_key"
    )


@dataclass(frozen=True)
class WebApp:
    name: str = key(TEXT, "Its name.")
    url: str = key(URL, "Its address.")
    icon_path: str = key(TEXT, "Icon, relative to `branding.assets_dir`.", "")


@dataclass(frozen=True)
class Grafana:
    urls: tuple[str, ...] = key(list_of(URL), "Dashboards.", (), sample="['http://grafana.example.com/d/abc']")
    labels: tuple[str, ...] = key(list_of(TEXT), "Their names, in the same order.", (), sample="[Network]")
    api_key: Secret | None = key(SECRET, "Key for embedding; it stays on the server.", sample="${GRAFANA_API_KEY}")


@dataclass(frozen=True)
class Support:
    faqs_url: str | None = key(URL, "FAQ link.", otherwise="no link", sample="https://support.example.com/faqs")
    support_url: str | None = key(URL, "Support link.", otherwise="no link", sample="https://support.example.com")


@dataclass(frozen=True)
class SocialProvider:
    client_id: str | None = key(TEXT, "Client id.", sample="your_client_id")
    client_secret: Secret | None = key(SECRET, "Client secret.", sample="${SOCIAL_CLIENT_SECRET}")


@dataclass(frozen=True)
class SocialProviders:
    google: SocialProvider | None = block(SocialProvider, "Google.")
    apple: SocialProvider | None = block(SocialProvider, "Apple.")
    facebook: SocialProvider | None = block(SocialProvider, "Facebook.")


@dataclass(frozen=True)
class Features:
    allow_social_logins: bool = key(FLAG, "Buttons for social logins.", False)
    social_providers: SocialProviders = section(SocialProviders, "Providers behind the buttons.")
    cbc_mode: bool = key(FLAG, "An installation for cell broadcast only.", False)
    keyboard_shortcuts: bool = key(FLAG, "Keyboard shortcuts.", True)
