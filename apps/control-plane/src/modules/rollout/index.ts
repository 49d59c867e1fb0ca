export { PodIntake } from './pod-intake.ts';
export { RolloutModule } from './rollout.module.ts';
