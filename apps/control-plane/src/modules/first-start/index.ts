export { FirstStart } from './first-start.ts';
export { FirstStartModule } from './first-start.module.ts';
