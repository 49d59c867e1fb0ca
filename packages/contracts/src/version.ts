/** The version of all programs of one release. */
export const VERSION = '0.1.0';
