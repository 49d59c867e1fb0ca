/** Something the developer has to put right, in a sentence for them: never a fault of the tool's own. */
export class Problem extends Error {}
