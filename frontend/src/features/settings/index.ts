export { settingsQuery, settingsSchemaQuery } from './queries';
export { SettingsPage } from './settings-page';
