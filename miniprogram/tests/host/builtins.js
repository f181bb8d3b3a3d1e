'use strict';

/**
 * The platform's built-in components, as far as the pages use them: their properties, those that are reflected as
 * attributes, and their templates.
 */
const SLOT = '<slot/>';
const ARIA = { ariaRole: 'String', ariaLabel: 'String', ariaChecked: 'Boolean', ariaSelected: 'Boolean', ariaExpanded: 'Boolean', ariaHidden: 'Boolean', ariaLive: 'String' };
const HOVER = { hoverClass: 'String', hoverStayTime: 'Number', hoverStartTime: 'Number' };
const FIELD = 'placeholder="{{placeholder}}" maxlength="{{maxlength}}" disabled="{{disabled}}" catch:input="typed" catch:focus="focused" catch:blur="blurred"';
const FIELD_PROPERTIES = { value: 'String', placeholder: 'String', placeholderClass: 'String', maxlength: ['Number', 140], disabled: 'Boolean', focus: 'Boolean', confirmType: 'String', confirmHold: 'Boolean', cursorSpacing: 'Number', adjustPosition: 'Boolean', ...ARIA };

module.exports = {
  view: { wxml: SLOT, properties: { hidden: 'Boolean', ...HOVER, ...ARIA }, reflect: ['hidden'] },
  text: { wxml: SLOT, properties: { selectable: 'Boolean', userSelect: 'Boolean', space: 'String', decode: 'Boolean', ...ARIA }, reflect: ['selectable', 'userSelect'] },
  'scroll-view': { wxml: SLOT, properties: { scrollX: 'Boolean', scrollY: 'Boolean', scrollIntoView: 'String', enhanced: 'Boolean', showScrollbar: 'Boolean', enableFlex: 'Boolean', ...ARIA }, reflect: ['scrollX'] },
  button: {
    wxml: SLOT,
    properties: { type: 'String', size: 'String', disabled: 'Boolean', loading: 'Boolean', plain: 'Boolean', openType: 'String', formType: 'String', ...HOVER, ...ARIA },
    reflect: ['type', 'size', 'disabled', 'loading'],
    role: 'button',
  },
  image: { wxml: '<img src="{{src}}" alt=""/>', properties: { src: 'String', mode: 'String', lazyLoad: 'Boolean', ...ARIA } },
  input: { wxml: `<input ${FIELD}/>`, properties: { type: 'String', ...FIELD_PROPERTIES } },
  textarea: { wxml: `<textarea rows="1" ${FIELD}></textarea>`, properties: { autoHeight: 'Boolean', showConfirmBar: 'Boolean', disableDefaultPadding: 'Boolean', ...FIELD_PROPERTIES } },
  picker: { wxml: SLOT, properties: { mode: 'String', range: 'Array', value: 'Any', disabled: 'Boolean', ...ARIA } },
  'page-meta': { wxml: SLOT, properties: { rootFontSize: 'String', pageFontSize: 'String', pageStyle: 'String', backgroundColor: 'String' } },
};
