// The German texts of the page.
import { pluralizer } from "../../ui/i18n/plural.ts";
import type { Messages } from "./en.ts";

const plural = pluralizer("de");
const pair = (title: string, hint: string) => ({ title, hint });
const messages = (count: number) => plural(count, { one: "# Nachricht", other: "# Nachrichten" });

export const de: Messages = {
  page: {
    title: "Garantien",
    chat: "Zum Chat",
    crashed: "Diese Seite ist gescheitert. Laden Sie sie neu, um von vorn zu beginnen.",
  },
  start: {
    headline: "Machen Sie es kaputt. Nichts geht verloren.",
    lead: "Zwei Telefone teilen eine Unterhaltung auf diesem Server. Sie kappen ihre Leitungen, verlieren ihre Antworten und beenden ihre Anmeldungen. Das Hauptbuch vergleicht, was gesendet wurde, mit dem, was gespeichert ist und was jedes Telefon zeigt.",
    points: [
      pair(
        "Einmal",
        "Jede Nachricht ist genau einmal gespeichert, so oft sie auch gesendet wurde.",
      ),
      pair(
        "Geordnet",
        "Jedes Telefon zeigt dieselben Nachrichten in derselben Reihenfolge, ohne Lücke.",
      ),
      pair("Vollständig", "Ein Telefon, das zurückkehrt, erhält genau, was ihm fehlt."),
    ],
    honest:
      "Die Telefone sind gewöhnliche Clients, der Server ist der, von dem diese Seite kommt, und nur die Leitungen dazwischen werden gestört.",
    accounts: "Dafür entstehen zwei neue Konten auf diesem Server.",
    begin: "Beginnen",
    beginSeed: (seed) => `Plan ${seed} beginnen`,
    starting: "Zwei Telefone werden verbunden …",
    closed:
      "Dieser Server nimmt keine neuen Konten an. Melden Sie zwei Personen an, die Sie dafür verwenden dürfen.",
    person: (name) => `Die Person mit dem Telefon von ${name}`,
    username: "Benutzername",
    password: "Passwort",
    showPassword: "Passwort zeigen",
    hidePassword: "Passwort verbergen",
    same: "Es müssen zwei verschiedene Personen sein.",
    failed: (why) => `Das hat nicht geklappt: ${why}`,
  },
  actions: {
    heading: "Etwas kaputt machen",
    skipWaits: "Wartezeiten überspringen",
    skipWaitsHint: "Stellt die Uhr eines Telefons vor, statt auf seinen Herzschlag zu warten.",
    stop: "Nicht länger warten",
    running: "Läuft",
    agreed: "Gleich",
    differed: "Ungleich",
    unsettled: "Nicht zur Ruhe gekommen",
  },
  experiments: {
    send: pair("Je 20 senden", "Vierzig Nachrichten auf einmal, von zwei Personen."),
    silence: pair("Leitung kappen", "Bens Leitung schweigt, und sein Socket scheint noch offen."),
    loseAck: pair(
      "Bestätigung verlieren",
      "Der Server speichert, und seine Antwort erreicht Ben nie.",
    ),
    sameId: pair(
      "Eine Kennung zweimal senden",
      "Eine Nachricht geht zugleich über Socket und REST.",
    ),
    slow: pair("Leitung bremsen", "Bens Leitung braucht je Richtung eine Sekunde länger."),
    behindLess: pair("299 Nachrichten verpassen", "Ben ist weg, und ein Resume bringt ihm alles."),
    behindMore: pair("301 Nachrichten verpassen", "Für ein Resume zu viel: Ben liest den Verlauf."),
    edit: pair(
      "Ändern und löschen",
      "Ann ändert, was Bens Telefon schon zeigt, während er weg ist.",
    ),
    token: pair(
      "Token ablaufen lassen",
      "Bens Telefon erneuert sein Token auf dem offenen Socket.",
    ),
    session: pair("Anmeldung beenden", "Ben beendet die Anmeldung dieses Telefons von anderswo."),
    remove: pair("Mitglied entfernen", "Ann entfernt Ben, schreibt, und nimmt ihn wieder auf."),
    server: pair("Server beenden", "Sie beenden den Serverprozess, und die Telefone warten."),
  },
  commands: {
    lead: "Führen Sie eines davon auf dem Rechner des Servers aus. Starten Sie den Server dann wieder.",
    native: "Prozess",
    container: "Container",
    copy: "Kopieren",
    copied: "Kopiert",
    copyFailed:
      "Der Browser hat das Kopieren nicht erlaubt. Markieren und kopieren Sie den Text selbst.",
  },
  shuffle: {
    heading: "Mischen",
    hint: "Fünfzehn zufällige Störungen und Nachrichten. Derselbe Startwert ergibt denselben Plan.",
    run: "Mischen",
    again: "Startwert wiederholen",
    seed: "Startwert",
    steps: (done, of) => `Schritt ${done} von ${of}`,
    copyLink: "Link kopieren",
    list: "Schritte des Plans",
  },
  steps: {
    say: (name, amount) => `${name} sendet ${messages(amount)}`,
    silence: (name) => `Leitung von ${name} schweigt`,
    disconnect: (name) => `Leitung von ${name} bricht ab`,
    restore: (name) => `${name} ist zurück`,
    delay: (name, ms) => `Leitung von ${name} braucht ${ms} ms länger`,
    "lose-ack": (name) => `Nächste Bestätigung an ${name} geht verloren`,
    "same-id": (name) => `${name} sendet eine Kennung zweimal`,
    edit: (name) => `${name} ändert eine Nachricht`,
    delete: (name) => `${name} löscht eine Nachricht`,
    renew: (name) => `${name} erneuert das Token`,
    skip: (name, ms) => `Uhr von ${name} springt ${ms / 1000} s vor`,
    "end-session": (name) => `Anmeldung von ${name} endet`,
    remove: (name) => `${name} wird entfernt`,
    add: (name) => `${name} wird wieder aufgenommen`,
  },
  progress: {
    sending: "Beide Telefone senden.",
    paced: (seconds) =>
      `Der Server nimmt von jeder Person eine Nachricht in ${plural(seconds, { one: "# Sekunde", other: "# Sekunden" })}. Der Rest wartet in den Warteschlangen.`,
    silent: "Nichts kommt durch. Die Uhr des Telefons geht vor, bis sein Herzschlag es merkt.",
    silentReal: "Nichts kommt durch. Der Herzschlag merkt es binnen 35 Sekunden.",
    loseAck:
      "Die Antwort ist verloren. Das Telefon verbindet sich neu und fragt unter derselben Kennung.",
    sameId: "Dieselbe Nachricht nimmt zwei Wege.",
    slow: "Frames und Antworten kommen spät, der Reihe nach.",
    gather: "Weitere Personen kommen dazu, damit das keine Minuten dauert.",
    behind: (name, written, count) =>
      `${name} ist weg. ${written} von ${count} Nachrichten sind geschrieben.`,
    edit: "Ben ist weg. Ann ändert eine Nachricht und löscht eine andere.",
    token: "Die Seite stellt die Warnung des Servers verfrüht zu. Die Erneuerung ist echt.",
    session: "Die Anmeldung endet auf dem Server. Die Warteschlange des Telefons bleibt.",
    remove: "Ben ist entfernt. Ann schreibt weiter.",
    serverWait: "Wartet, bis der Server endet.",
    serverGone: "Der Server ist weg. Nachrichten warten in den Telefonen. Starten Sie ihn wieder.",
    settling: "Alles ist repariert. Die Telefone holen auf.",
  },
  outcome: {
    send: (count) => `${messages(count)}, eine Reihenfolge.`,
    silence: (name) =>
      `Das Telefon von ${name} merkte die Stille selbst und sendete nach der Rückkehr, was wartete.`,
    silenceUnnoticed: (name) => `Die Leitung war zurück, bevor das Telefon von ${name} es merkte.`,
    loseAck: (duplicate) =>
      duplicate
        ? "Die Wiederholung wurde mit duplicate: true beantwortet."
        : "Das Resume brachte die Nachricht, bevor eine Wiederholung nötig war.",
    sameId: (socket, rest) =>
      socket === rest
        ? `Beide Wege ergaben Nachricht ${socket}.`
        : `Der Socket ergab Nachricht ${socket}, REST Nachricht ${rest}.`,
    sameIdRefused: "Das Telefon bekam seine Nachricht nicht zurück.",
    slow: "Spät, vollständig und geordnet.",
    behind: (count, resumed) =>
      resumed
        ? `${messages(count)} verpasst. Ein Resume brachte sie, mit sync am Ende.`
        : `${messages(count)} verpasst. Statt eines Resume las das Telefon den Verlauf.`,
    edit: "Bens Telefon zeigt von jedem Text die neueste Fassung.",
    token: "Ein neues Token auf demselben Socket. Kein Ereignis fehlt.",
    tokenNot: "Der Server hat das neue Token nicht rechtzeitig bestätigt.",
    session: (name) =>
      `Das Telefon von ${name} wurde mit 4401 geschlossen, das andere blieb. Nach der neuen Anmeldung ging hinaus, was wartete.`,
    sessionBoth: "Auch das andere Telefon verlor die Verbindung.",
    remove: (after) =>
      after === 0
        ? "Mit 4403 geschlossen. Vor der Rückkehr kam nichts von danach an."
        : `${messages(after)} von nach der Entfernung kamen an.`,
    server: "Der Server ist zurück. Die Telefone holten auf und sendeten, was wartete.",
    serverStopped: "Das Warten wurde beendet.",
    plan: (steps) => `${steps} Schritte, dann wurde alles repariert.`,
    refused: (why) => `Der Server hat einen Schritt abgelehnt: ${why}`,
  },
  phone: {
    title: (name) => `Telefon von ${name}`,
    messages: (name) => `Nachrichten auf dem Telefon von ${name}`,
    empty: "Noch keine Nachrichten.",
    earlier: (count) =>
      plural(count, { one: "# frühere Nachricht", other: "# frühere Nachrichten" }),
    status: {
      live: "Verbunden",
      unaware: "Scheint verbunden",
      connecting: "Verbindet sich",
      "catching-up": "Holt auf",
      "signed-out": "Abgemeldet",
      removed: "Kein Mitglied",
    },
    waiting: (seconds) => `Nächster Versuch in ${seconds} s`,
    refused: (code) => `Mit ${code} geschlossen`,
    line: {
      open: "Leitung offen",
      silent: "Leitung schweigt",
      down: "Leitung unterbrochen",
      slow: "Leitung langsam",
    },
    cutShort: "Kappen",
    restoreShort: "Wiederherstellen",
    cut: (name) => `Kappen: Leitung von ${name}`,
    restore: (name) => `Wiederherstellen: Leitung von ${name}`,
    queue: (count) => `${messages(count)} in der Warteschlange`,
    queueEmpty: "Nichts wartet",
    paced: (seconds) => `eine je ${plural(seconds, { one: "Sekunde", other: "# Sekunden" })}`,
    write: (name) => `Als ${name} schreiben`,
    send: "Senden",
    edited: "geändert",
    deleted: "gelöscht",
    sending: "wird gesendet",
    queued: "wartet",
    failed: "abgelehnt",
    joined: (name) => `${name} ist dabei`,
    left: (name) => `${name} ist weg`,
    hole: (count) => `${messages(count)} nicht geladen`,
  },
  ledger: {
    heading: "Hauptbuch",
    caption: "Nachrichten, gezählt, wo sie sind",
    where: "Wo",
    count: "Nachrichten",
    accepted: "Angenommen",
    acceptedHint: "von den Warteschlangen und über REST",
    acknowledged: "Bestätigt",
    acknowledgedHint: "vom Server",
    stored: "Gespeichert",
    storedHint: "über REST zurückgelesen",
    shown: (name) => `Gezeigt von ${name}`,
    refused: (count) => `${messages(count)} abgelehnt, etwa nach einer Entfernung.`,
    duplicates: "Doppelt",
    lost: "Verloren",
    gaps: "Lücken",
    digest: "Reihenfolge",
    digestHint: "SHA-256 über Position, Kennung, Fassung und Text",
    server: "Server",
    same: "wie auf dem Server",
    differs: "anders als auf dem Server",
    noDigest: "Der Browser berechnet Prüfsummen nur über HTTPS oder auf localhost.",
    verdict: {
      equal: "Alles stimmt überein",
      different: "Etwas ist verschieden",
      checking: "Wird verglichen",
      moving: "Noch unterwegs",
      empty: "Noch nichts gesendet",
    },
    detail: {
      equal: (count) =>
        `${messages(count)}, einmal gespeichert und überall in einer Reihenfolge gezeigt.`,
      checking: "Nichts ist unterwegs. Der ganze Verlauf wird gelesen.",
      moving: "Das Urteil folgt, wenn jedes Telefon zurück und jede Warteschlange leer ist.",
      empty: "Drücken Sie einen Knopf, oder schreiben Sie auf einem Telefon.",
      duplicate: (text) => `Mehr als einmal gespeichert: „${text}“.`,
      lost: (text) => `Bestätigt und nicht gespeichert: „${text}“.`,
      gaps: (count) => plural(count, { one: "# Nummer fehlt.", other: "# Nummern fehlen." }),
      afterRemoval: "Ein entferntes Telefon zeigt spätere Nachrichten.",
      counts: "Die Zähler stimmen nicht überein.",
      difference: (phone, stored, shown) =>
        `Der Server hat ${stored}, das Telefon von ${phone} zeigt ${shown}.`,
      row: (seq, text, version) => `„${text}“ (Ereignis ${seq}, Fassung ${version})`,
      nothing: "dort nichts",
    },
  },
  log: {
    heading: "Frames",
    lead: "Jeder Frame und jede Anfrage der Telefone. Token, Passwörter und Adressen werden ersetzt, bevor sie behalten werden.",
    who: "Leitung",
    everybody: "Alle Leitungen",
    search: "Suche",
    shown: "Gezeigte Arten",
    groups: {
      send: "Senden und Bestätigen",
      event: "Ereignisse",
      connection: "Verbindung",
      heartbeat: "Herzschläge",
      rest: "REST",
      fault: "Störungen",
    },
    faults: {
      silenced: "Die Leitung schweigt",
      disconnected: "Die Leitung bricht ab",
      restored: "Die Leitung ist wieder offen",
      delayed: "Die Leitung wird langsamer",
      "ack-loss": "Die nächste Antwort geht verloren",
      "clock-ahead": "Die Uhr wird vorgestellt",
    },
    fates: { late: "spät", lost: "verloren", injected: "von dieser Seite" },
    out: "gesendet",
    in: "empfangen",
    download: "Als NDJSON laden",
    clear: "Leeren",
    copyHint: "Drücken Sie auf eine Zeile, um sie als Befehl für wscat oder curl zu kopieren.",
    copied: "Kopiert",
    copyFailed: "Der Browser hat das Kopieren nicht erlaubt.",
    list: "Frames und Anfragen",
    empty: "Keine Frames passen.",
    count: (shown, all) => `Die neuesten ${shown} von ${all}`,
  },
};
