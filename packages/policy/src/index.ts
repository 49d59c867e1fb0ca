export { compileGrants, subjectKey, type Allow, type CompiledGrants, type SubjectGrants } from './compile-grants.ts';
export { decide, fingerprint, permittedServers, type Decision, type PolicyObject } from './decide.ts';
