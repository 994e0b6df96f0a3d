/** A text for people, in both languages of the service. */
export interface Bilingual {
  en: string
  zh: string
}
