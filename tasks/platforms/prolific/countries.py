"""The countries that an offer names by their ISO codes, as Prolific's list of choices names them.

Prolific's choices have ids of its own and English names, and its reference asks to read them anew.
So a code is looked up by its names; a name that Prolific does not have is told, never passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from tasks.platforms.base import PlatformError

# ISO 3166-1; names that differ between lists stand with a stroke between.
_NAMES = """
AD=Andorra; AE=United Arab Emirates; AF=Afghanistan; AG=Antigua and Barbuda; AI=Anguilla;
AL=Albania; AM=Armenia; AO=Angola; AQ=Antarctica; AR=Argentina; AS=American Samoa; AT=Austria;
AU=Australia; AW=Aruba; AX=Åland Islands; AZ=Azerbaijan; BA=Bosnia and Herzegovina; BB=Barbados;
BD=Bangladesh; BE=Belgium; BF=Burkina Faso; BG=Bulgaria; BH=Bahrain; BI=Burundi; BJ=Benin;
BL=Saint Barthélemy; BM=Bermuda; BN=Brunei/Brunei Darussalam; BO=Bolivia/Plurinational State of
Bolivia; BQ=Bonaire, Sint Eustatius and Saba; BR=Brazil; BS=Bahamas; BT=Bhutan; BV=Bouvet Island;
BW=Botswana; BY=Belarus; BZ=Belize; CA=Canada; CC=Cocos Islands/Cocos Keeling Islands;
CD=Democratic Republic of the Congo; CF=Central African Republic; CG=Congo/Republic of the Congo;
CH=Switzerland; CI=Côte d'Ivoire/Ivory Coast; CK=Cook Islands; CL=Chile; CM=Cameroon; CN=China;
CO=Colombia; CR=Costa Rica; CU=Cuba; CV=Cape Verde/Cabo Verde; CW=Curaçao; CX=Christmas Island;
CY=Cyprus; CZ=Czech Republic/Czechia; DE=Germany; DJ=Djibouti; DK=Denmark; DM=Dominica;
DO=Dominican Republic; DZ=Algeria; EC=Ecuador; EE=Estonia; EG=Egypt; EH=Western Sahara;
ER=Eritrea; ES=Spain; ET=Ethiopia; FI=Finland; FJ=Fiji; FK=Falkland Islands/Falkland Islands
Malvinas; FM=Micronesia/Federated States of Micronesia; FO=Faroe Islands; FR=France; GA=Gabon;
GB=United Kingdom; GD=Grenada; GE=Georgia; GF=French Guiana; GG=Guernsey; GH=Ghana; GI=Gibraltar;
GL=Greenland; GM=Gambia; GN=Guinea; GP=Guadeloupe; GQ=Equatorial Guinea; GR=Greece; GS=South
Georgia and the South Sandwich Islands; GT=Guatemala; GU=Guam; GW=Guinea-Bissau; GY=Guyana;
HK=Hong Kong; HM=Heard Island and McDonald Islands; HN=Honduras; HR=Croatia; HT=Haiti; HU=Hungary;
ID=Indonesia; IE=Ireland; IL=Israel; IM=Isle of Man; IN=India; IO=British Indian Ocean Territory;
IQ=Iraq; IR=Iran/Islamic Republic of Iran; IS=Iceland; IT=Italy; JE=Jersey; JM=Jamaica; JO=Jordan;
JP=Japan; KE=Kenya; KG=Kyrgyzstan; KH=Cambodia; KI=Kiribati; KM=Comoros; KN=Saint Kitts and Nevis;
KP=North Korea/Democratic People's Republic of Korea; KR=South Korea/Korea/Republic of Korea;
KW=Kuwait; KY=Cayman Islands; KZ=Kazakhstan; LA=Laos/Lao People's Democratic Republic; LB=Lebanon;
LC=Saint Lucia; LI=Liechtenstein; LK=Sri Lanka; LR=Liberia; LS=Lesotho; LT=Lithuania;
LU=Luxembourg; LV=Latvia; LY=Libya/Libyan Arab Jamahiriya; MA=Morocco; MC=Monaco;
MD=Moldova/Republic of Moldova; ME=Montenegro; MF=Saint Martin; MG=Madagascar; MH=Marshall
Islands; MK=North Macedonia/Macedonia/Former Yugoslav Republic of Macedonia; ML=Mali;
MM=Myanmar/Burma/Myanmar Burma; MN=Mongolia; MO=Macau/Macao; MP=Northern Mariana Islands;
MQ=Martinique; MR=Mauritania; MS=Montserrat; MT=Malta; MU=Mauritius; MV=Maldives; MW=Malawi;
MX=Mexico; MY=Malaysia; MZ=Mozambique; NA=Namibia; NC=New Caledonia; NE=Niger; NF=Norfolk Island;
NG=Nigeria; NI=Nicaragua; NL=Netherlands; NO=Norway; NP=Nepal; NR=Nauru; NU=Niue; NZ=New Zealand;
OM=Oman; PA=Panama; PE=Peru; PF=French Polynesia; PG=Papua New Guinea; PH=Philippines;
PK=Pakistan; PL=Poland; PM=Saint Pierre and Miquelon; PN=Pitcairn; PR=Puerto Rico;
PS=Palestine/State of Palestine/Occupied Palestinian Territory; PT=Portugal; PW=Palau;
PY=Paraguay; QA=Qatar; RE=Réunion; RO=Romania; RS=Serbia; RU=Russia/Russian Federation; RW=Rwanda;
SA=Saudi Arabia; SB=Solomon Islands; SC=Seychelles; SD=Sudan; SE=Sweden; SG=Singapore; SH=Saint
Helena/Saint Helena, Ascension and Tristan da Cunha; SI=Slovenia; SJ=Svalbard and Jan Mayen;
SK=Slovakia; SL=Sierra Leone; SM=San Marino; SN=Senegal; SO=Somalia; SR=Suriname; SS=South Sudan;
ST=Sao Tome and Principe; SV=El Salvador; SX=Sint Maarten; SY=Syria/Syrian Arab Republic;
SZ=Eswatini/Swaziland; TC=Turks and Caicos Islands; TD=Chad; TF=French Southern Territories;
TG=Togo; TH=Thailand; TJ=Tajikistan; TK=Tokelau; TL=Timor-Leste/East Timor; TM=Turkmenistan;
TN=Tunisia; TO=Tonga; TR=Turkey/Türkiye; TT=Trinidad and Tobago; TV=Tuvalu; TW=Taiwan/Taiwan,
Province of China; TZ=Tanzania/United Republic of Tanzania; UA=Ukraine; UG=Uganda; UM=United
States Minor Outlying Islands; US=United States/United States of America; UY=Uruguay;
UZ=Uzbekistan; VA=Vatican City/Holy See/Holy See Vatican City State; VC=Saint Vincent and the
Grenadines; VE=Venezuela/Bolivarian Republic of Venezuela; VG=British Virgin Islands/Virgin
Islands, British; VI=United States Virgin Islands/Virgin Islands, U.S.; VN=Vietnam/Viet Nam;
VU=Vanuatu; WF=Wallis and Futuna; WS=Samoa; YE=Yemen; YT=Mayotte; ZA=South Africa; ZM=Zambia;
ZW=Zimbabwe
"""
_SMALL_WORDS = {"the", "of", "and"}
_BY_CODE = dict(part.split("=") for part in " ".join(_NAMES.split()).split("; "))


def choice_ids(codes: Iterable[str], choices: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids of the countries with some codes, among choices (names by id).

    Raises PlatformError for a country that is not among them.
    """
    ids = {_words(name): choice for choice, name in choices.items()}
    found = []
    for code in codes:
        names = _BY_CODE.get(code, code).split("/")
        matching = [ids[_words(name)] for name in names if _words(name) in ids]
        if not matching:
            raise PlatformError(
                f"Prolific's list of countries has none for {code} ({names[0]}); take it off the "
                "offer, or leave the countries empty",
                permanent=True,
            )
        found.append(matching[0])
    return tuple(found)


def _words(name: str) -> frozenset[str]:
    """Return a name's words in no order: "Congo, the Democratic Republic of the" is the same."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return frozenset(re.findall(r"[a-z]+", letters.replace("'", ""))) - _SMALL_WORDS
