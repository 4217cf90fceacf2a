// The German texts that a page without a login shows, and those of errors.
import { serverSentences } from "./de.server.ts";
import type { EntryMessages } from "./en.entry.ts";

export const deEntry: EntryMessages = {
  common: {
    back: "Zurück",
    cancel: "Abbrechen",
    close: "Schließen",
    copied: "Kopiert",
    copy: "Kopieren",
    copyFailed:
      "Der Browser hat das Kopieren nicht erlaubt. Markieren und kopieren Sie den Text selbst.",
    language: "Sprache",
    loading: "Wird geladen …",
    optional: "(freiwillig)",
    retry: "Erneut versuchen",
    skip: "Zum Inhalt springen",
  },
  welcome: {
    headline: "Ein Chat, der nichts verliert.",
    lead: "Jede Nachricht wird genau einmal gespeichert. Alle lesen dieselbe Reihenfolge. Wer weg war, erhält genau das, was fehlt.",
    register: "Konto anlegen",
    logIn: "Anmelden",
    guarantees: "Selbst ausprobieren: Es geht nichts verloren",
    docs: "Für die Entwicklung",
    closed: "Dieser Server nimmt keine neuen Konten an. Melden Sie sich mit Ihrem Konto an.",
    invited:
      "Sie wurden zu einer Unterhaltung eingeladen. Legen Sie ein Konto an oder melden Sie sich an, um sie zu beginnen.",
    picture:
      "Vier Nachrichten, von eins bis vier nummeriert: Die dritte wurde ohne Verbindung geschrieben und kam in der richtigen Reihenfolge an.",
  },
  auth: {
    logIn: "Anmelden",
    logInLead: "Willkommen zurück.",
    register: "Konto anlegen",
    registerLead: "Merken müssen Sie sich nur Benutzernamen und Passwort.",
    username: "Benutzername",
    usernameHint: "Buchstaben, Ziffern und @ . + - _",
    email: "E-Mail-Adresse",
    password: "Passwort",
    passwordHint: "Mindestens 8 Zeichen, nicht nur Ziffern.",
    showPassword: "Passwort zeigen",
    hidePassword: "Passwort verbergen",
    firstName: "Vorname",
    lastName: "Nachname",
    haveAccount: "Sie haben ein Konto?",
    noAccount: "Noch kein Konto?",
    badCredentials: "Es gibt kein Konto mit diesem Benutzernamen und Passwort.",
    ended:
      "Diese Anmeldung ist beendet. Melden Sie sich erneut an; was noch nicht gesendet ist, bleibt erhalten.",
    wanted: "Melden Sie sich an, um diese Seite zu sehen.",
    fieldRequired: "Dieses Feld muss ausgefüllt sein.",
    tryAgainIn: (time) => `Sie können es in ${time} erneut versuchen.`,
    tryAgainNow: "Sie können es jetzt erneut versuchen.",
    createdNotIn: "Das Konto ist angelegt. Melden Sie sich damit an.",
  },
  errors: {
    network:
      "Der Server ist nicht erreichbar. Prüfen Sie die Verbindung und versuchen Sie es erneut.",
    unavailable: "Der Server ist gerade nicht verfügbar. Versuchen Sie es gleich noch einmal.",
    overloaded: "Der Server ist ausgelastet. Versuchen Sie es gleich noch einmal.",
    throttled: "Das war zu viel auf einmal.",
    tooManyAttempts: "Es gab zu viele Versuche.",
    internal: "Im Server ist ein Fehler aufgetreten. Versuchen Sie es erneut.",
    unexpected: "Die Antwort stammt nicht von diesem Server. Vielleicht ist ein Proxy dazwischen.",
    requestId: (id) => `Tritt er wieder auf, melden Sie diese Nummer: ${id}`,
    unknownPage: "Diese Seite gibt es nicht",
    unknownPageHint: "Vielleicht ist die Adresse unvollständig.",
    home: "Zu den Unterhaltungen",
    crashed: "Diese Seite funktioniert nicht mehr",
    crashedHint:
      "Entwürfe und nicht gesendete Nachrichten bleiben erhalten. Laden Sie die Seite neu.",
    reload: "Neu laden",
  },
  server: serverSentences,
};
