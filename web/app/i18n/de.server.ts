// German for the sentences of the server that the pages show: those under the fields of a form, and those of
// errors without a text of their own.

export const serverSentences: Readonly<Record<string, string>> = {
  "This field is required.": "Dieses Feld muss ausgefüllt sein.",
  "This field may not be blank.": "Dieses Feld darf nicht leer sein.",
  "This field must contain a visible character.":
    "Dieses Feld muss ein sichtbares Zeichen enthalten.",
  "Ensure this field has no more than 120 characters.": "Höchstens 120 Zeichen sind möglich.",
  "Ensure this field has no more than 150 characters.": "Höchstens 150 Zeichen sind möglich.",
  "Ensure this field has no more than 254 characters.": "Höchstens 254 Zeichen sind möglich.",
  "Null characters are not allowed.": "Nullzeichen sind nicht erlaubt.",
  "A user with that username already exists.": "Dieser Benutzername ist schon vergeben.",
  "A user with that email already exists.": "Zu dieser E-Mail-Adresse gibt es schon ein Konto.",
  "Enter a valid email address.": "Geben Sie eine gültige E-Mail-Adresse ein.",
  "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.":
    "Ein Benutzername besteht aus Buchstaben, Ziffern und @ . + - _.",
  "This password is too short. It must contain at least 8 characters.":
    "Dieses Passwort ist zu kurz. Es braucht mindestens 8 Zeichen.",
  "This password is too long. It must contain at most 256 bytes.":
    "Dieses Passwort ist zu lang. Es darf höchstens 256 Bytes haben.",
  "This password is too common.": "Dieses Passwort ist zu verbreitet.",
  "This password is entirely numeric.": "Dieses Passwort besteht nur aus Ziffern.",
  "The password is too similar to the username.": "Das Passwort ist dem Benutzernamen zu ähnlich.",
  "The password is too similar to the email address.":
    "Das Passwort ist der E-Mail-Adresse zu ähnlich.",
  "The password is too similar to the first name.": "Das Passwort ist dem Vornamen zu ähnlich.",
  "The password is too similar to the last name.": "Das Passwort ist dem Nachnamen zu ähnlich.",
  "At least one other participant is required.": "Mindestens eine andere Person ist nötig.",
  "Registration is closed on this server.": "Dieser Server nimmt keine neuen Konten an.",
  "You are not a member of this conversation.": "Sie sind nicht Mitglied dieser Unterhaltung.",
  "You do not have permission to perform this action.": "Dazu sind Sie nicht berechtigt.",
  "A deleted message cannot be edited.":
    "Eine gelöschte Nachricht lässt sich nicht mehr bearbeiten.",
  "There is no such message in this conversation.":
    "Diese Nachricht gibt es in dieser Unterhaltung nicht.",
  "The members of a direct conversation cannot be changed.":
    "Die Mitglieder einer direkten Unterhaltung lassen sich nicht ändern.",
  "The group is full: it has as many members as this server allows in one group.":
    "Die Gruppe ist voll: Mehr Mitglieder erlaubt dieser Server nicht.",
  "This session has been revoked.": "Diese Anmeldung wurde beendet.",
  "Not found.": "Das gibt es hier nicht.",
  // Of the SDK.
  "The login is over.": "Diese Anmeldung ist beendet.",
};
