/** What is used of the age library. It is a bundle of its own, which only what encrypts or decrypts loads. */
export { armor, Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
