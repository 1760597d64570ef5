/** Abbreviations of the zone database that English formatting leaves out, by minutes east of UTC. */
const names: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  west: { 0: "WET", 60: "WEST" },
  british: { 0: "GMT", 60: "BST" },
  irish: { 0: "GMT", 60: "IST" },
  central: { 60: "CET", 120: "CEST" },
  east: { 120: "EET", 180: "EEST" },
  moscow: { 180: "MSK" },
  africaWest: { 60: "WAT" },
  africaCentral: { 120: "CAT" },
  africaEast: { 180: "EAT" },
  africaSouth: { 120: "SAST" },
  israel: { 120: "IST", 180: "IDT" },
  pakistan: { 300: "PKT" },
  india: { 330: "IST" },
  indonesiaWest: { 420: "WIB" },
  indonesiaCentral: { 480: "WITA" },
  indonesiaEast: { 540: "WIT" },
  china: { 480: "CST" },
  hongKong: { 480: "HKT" },
  philippines: { 480: "PST" },
  japan: { 540: "JST" },
  korea: { 540: "KST" },
  australiaWest: { 480: "AWST" },
  australiaCentral: { 570: "ACST", 630: "ACDT" },
  australiaEast: { 600: "AEST", 660: "AEDT" },
  newZealand: { 720: "NZST", 780: "NZDT" },
};

const central =
  "Amsterdam Andorra Belgrade Berlin Bratislava Brussels Budapest Busingen Copenhagen Gibraltar Ljubljana Luxembourg Madrid Malta Monaco Oslo Paris Podgorica Prague Rome San_Marino Sarajevo Skopje Stockholm Tirane Vaduz Vatican Vienna Warsaw Zagreb Zurich";
const places: Readonly<Record<string, string>> = {
  "Europe/Lisbon": "west",
  "Atlantic/Canary": "west",
  "Atlantic/Madeira": "west",
  "Atlantic/Faroe": "west",
  "Europe/London": "british",
  "Europe/Belfast": "british",
  "Europe/Jersey": "british",
  "Europe/Guernsey": "british",
  "Europe/Isle_of_Man": "british",
  "Europe/Dublin": "irish",
  ...all("central", "Europe", central),
  CET: "central",
  EET: "east",
  WET: "west",
  ...all("east", "Europe", "Athens Bucharest Chisinau Helsinki Kiev Kyiv Mariehamn Riga Sofia Tallinn Vilnius"),
  ...all("east", "Asia", "Beirut Nicosia Famagusta"),
  "Africa/Cairo": "east",
  "Africa/Tripoli": "east",
  "Europe/Kaliningrad": "east",
  ...all("moscow", "Europe", "Moscow Simferopol"),
  ...all(
    "africaWest",
    "Africa",
    "Lagos Luanda Kinshasa Libreville Douala Niamey Malabo Bangui Brazzaville Ndjamena Porto-Novo",
  ),
  ...all("central", "Africa", "Algiers Tunis Ceuta"),
  ...all(
    "africaCentral",
    "Africa",
    "Harare Lusaka Maputo Kigali Khartoum Juba Gaborone Blantyre Bujumbura Lubumbashi Windhoek",
  ),
  ...all("africaEast", "Africa", "Nairobi Addis_Ababa Dar_es_Salaam Kampala Mogadishu Djibouti Asmara"),
  ...all("africaSouth", "Africa", "Johannesburg Maseru Mbabane"),
  ...all("israel", "Asia", "Jerusalem Tel_Aviv"),
  "Asia/Karachi": "pakistan",
  ...all("india", "Asia", "Kolkata Calcutta"),
  ...all("indonesiaWest", "Asia", "Jakarta Pontianak"),
  "Asia/Makassar": "indonesiaCentral",
  "Asia/Jayapura": "indonesiaEast",
  ...all("china", "Asia", "Shanghai Chongqing Harbin Macau Taipei"),
  PRC: "china",
  ROC: "china",
  "Asia/Hong_Kong": "hongKong",
  "Asia/Manila": "philippines",
  "Asia/Tokyo": "japan",
  Japan: "japan",
  ...all("korea", "Asia", "Seoul Pyongyang"),
  ROK: "korea",
  "Australia/Perth": "australiaWest",
  ...all("australiaCentral", "Australia", "Adelaide Darwin Broken_Hill"),
  ...all("australiaEast", "Australia", "Brisbane Hobart Lindeman Melbourne Sydney Canberra"),
  ...all("newZealand", "Pacific", "Auckland"),
  "Antarctica/McMurdo": "newZealand",
};

function all(kind: string, continent: string, cities: string): Record<string, string> {
  return Object.fromEntries(cities.split(" ").map((city) => [`${continent}/${city}`, kind]));
}

/** The abbreviation of a zone at an offset (seconds east of UTC); empty: the zone shows its offset. */
export function zoneName(zone: string, offset: number): string {
  const place = Object.hasOwn(places, zone) ? places[zone] : undefined;
  return (place === undefined ? undefined : names[place]?.[offset / 60]) ?? "";
}
